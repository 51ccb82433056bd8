//! The contrast of the style sheet's tokens, by the formula of WCAG 2.2, 1.4.3.

const STYLE: &str = include_str!("../../static/dashboard.css");

/// The light and the dark value of a token.
fn token(name: &str) -> [String; 2] {
    let start = format!("--{name}: light-dark(");
    let at = STYLE.find(&start).unwrap_or_else(|| panic!("no token {name}"));
    let value = &STYLE[at + start.len()..];
    let (light, dark) = value[..value.find(')').unwrap()].split_once(',').unwrap();
    [light.trim().to_owned(), dark.trim().to_owned()]
}

fn luminance(colour: &str) -> f64 {
    let part = |at: usize| {
        let byte = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
        let it = f64::from(byte) / 255.0;
        if it <= 0.04045 { it / 12.92 } else { ((it + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn assert_contrast(colour: &str, on: &str, least: f64) {
    for (theme, (one, other)) in ["light", "dark"].iter().zip(token(colour).iter().zip(token(on))) {
        let found = contrast(one, &other);
        assert!(found >= least, "{colour} on {on}, {theme}: {found:.2} is under {least}");
    }
}

#[test]
fn the_formula_knows_black_on_white() {
    assert!((contrast("#000000", "#FFFFFF") - 21.0).abs() < 0.01);
}

#[test]
fn every_colour_of_text_can_be_read_on_both_backgrounds() {
    for colour in ["ink", "muted", "link", "wait", "aws", "runner", "job", "fail", "focus"] {
        for on in ["bg", "surface"] {
            assert_contrast(colour, on, 4.5);
        }
    }
}

#[test]
fn borders_can_be_seen() {
    for on in ["bg", "surface"] {
        assert_contrast("line", on, 3.0);
    }
}

#[test]
fn every_hue_can_be_read_on_its_tint() {
    for hue in ["wait", "aws", "runner", "job", "fail"] {
        assert_contrast(hue, &format!("{hue}-tint"), 4.5);
        assert_contrast("ink", &format!("{hue}-tint"), 4.5);
        assert_contrast("on-fill", hue, 4.5);
    }
}

#[test]
fn digits_can_be_read_on_every_shade() {
    for shade in ["h1", "h2", "h3"] {
        assert_contrast("digit-low", shade, 4.8);
    }
    for shade in ["h5", "h6"] {
        assert_contrast("digit-high", shade, 4.8);
    }
    let [light, dark] = token("h4");
    assert!(contrast("#000000", &light) >= 4.8 && contrast("#0E1116", &dark) >= 4.8);
}

#[test]
fn no_text_is_smaller_than_13_px() {
    for part in STYLE.split("font-size:").skip(1) {
        let size: u32 = part.trim().split("px").next().unwrap().parse().unwrap();
        assert!(size >= 13, "{size} px");
    }
}
