//! Random ids in the shapes that AWS uses. Secret keys are made of them as well, so the bits come from
//! the operating system and not from a generator with a seed.

/// `count` random lower-case hexadecimal digits.
pub fn hex_digits(count: usize) -> String {
    let mut bytes = vec![0; count.div_ceil(2)];
    getrandom::fill(&mut bytes).expect("the system has random bits");
    let mut digits = hex::encode(bytes);
    digits.truncate(count);
    digits
}

/// `count` random decimal digits, the first of them not 0.
pub fn decimal_digits(count: usize) -> String {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).expect("the system has random bits");
    let digit = |(i, byte): (usize, &u8)| {
        let value = if i == 0 { byte % 9 + 1 } else { byte % 10 };
        char::from(b'0' + value)
    };
    bytes.iter().enumerate().map(digit).collect()
}

/// `count` random letters and digits, as they end the ARN of a secret.
pub fn letters_and_digits(count: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).expect("the system has random bits");
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

/// A version 4 UUID.
pub fn uuid() -> String {
    let digits = hex_digits(30);
    let (variant, rest) = digits[15..].split_at(3);
    format!("{}-{}-4{}-a{variant}-{}", &digits[..8], &digits[8..12], &digits[12..15], &rest[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_shape_of_aws() {
        let uuid = uuid();
        let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
        assert_eq!(hex_digits(17).len(), 17);
        let letters = letters_and_digits(6);
        assert!(letters.len() == 6 && letters.bytes().all(|b| b.is_ascii_alphanumeric()));
        let digits = decimal_digits(10);
        assert!(digits.len() == 10 && !digits.starts_with('0'), "{digits}");
    }
}
