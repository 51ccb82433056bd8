//! Writes the XML of the query protocols: elements with text or children, one namespace. It reads
//! nothing.

use std::io;

use quick_xml::Writer;
use quick_xml::escape::partial_escape;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

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
        let mut writer = Writer::new(Vec::new());
        let written = writer
            .write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))
            .and_then(|()| writer.write_event(Event::Text(BytesText::new("\n"))))
            .and_then(|()| self.write(&mut writer));
        written.expect("a vector takes every byte");
        String::from_utf8(writer.into_inner()).expect("every part of it is text")
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let mut start = BytesStart::new(&self.name);
        if let Some(namespace) = &self.namespace {
            start.push_attribute(("xmlns", namespace.as_str()));
        }
        writer.write_event(Event::Start(start))?;
        // AWS leaves quotes in text as they are, so only the three signs of markup are escaped.
        let text = BytesText::from_escaped(partial_escape(&self.text));
        writer.write_event(Event::Text(text))?;
        for child in &self.children {
            child.write(writer)?;
        }
        writer.write_event(Event::End(BytesEnd::new(&self.name)))
    }
}
