//! Writes the XML of the query protocols: elements with text or children, one namespace. It reads
//! nothing.

/// One element.
#[derive(Clone, Debug)]
pub struct XmlElement {
    name: String,
    namespace: Option<String>,
    text: String,
    children: Vec<XmlElement>,
}

impl XmlElement {
    /// An element without content.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), namespace: None, text: String::new(), children: Vec::new() }
    }

    /// An element with text.
    pub fn text(name: &str, text: impl AsRef<str>) -> Self {
        Self { text: text.as_ref().to_owned(), ..Self::new(name) }
    }

    /// Gives it a namespace.
    pub fn of(self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self }
    }

    /// Adds a child.
    pub fn with(mut self, child: XmlElement) -> Self {
        self.children.push(child);
        self
    }

    /// Adds children.
    pub fn with_all(mut self, children: impl IntoIterator<Item = XmlElement>) -> Self {
        self.children.extend(children);
        self
    }

    /// The whole document with this as its root.
    pub fn document(&self) -> String {
        let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        if let Some(namespace) = &self.namespace {
            out.push_str(&format!(" xmlns=\"{namespace}\""));
        }
        out.push('>');
        for c in self.text.chars() {
            match c {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                c => out.push(c),
            }
        }
        self.children.iter().for_each(|child| child.write(out));
        out.push_str(&format!("</{}>", self.name));
    }
}
