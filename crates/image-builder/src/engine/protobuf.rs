//! As much of the encoding of protocol buffers as BuildKit's messages need: numbers and pieces of bytes.
//!
//! Source: protobuf.dev, "Encoding".

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProtobufValue<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> ProtobufValue<'a> {
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) => &[],
        }
    }

    pub fn text(self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub fn number(self) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Bytes(_) => 0,
        }
    }
}

/// The fields of a message, by number, in order. Ends at what it does not understand.
pub(super) struct MessageFields<'a>(pub &'a [u8]);

impl<'a> Iterator for MessageFields<'a> {
    type Item = (u64, ProtobufValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = take_number(&mut self.0)?;
        let value = match key & 7 {
            0 => ProtobufValue::Number(take_number(&mut self.0)?),
            1 => ProtobufValue::Bytes(take(&mut self.0, 8)?),
            2 => {
                let length = take_number(&mut self.0)?;
                ProtobufValue::Bytes(take(&mut self.0, length)?)
            }
            5 => ProtobufValue::Bytes(take(&mut self.0, 4)?),
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = left;
    Some(taken)
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(rest, 1)? else { return None };
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A field of bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_number(out, field << 3 | 2);
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_were_written_and_what_is_cut_ends_them() {
        let mut message = vec![0x08, 0x96, 0x01];
        put_bytes(&mut message, 3, &[7; 300]);
        let fields: Vec<_> = MessageFields(&message).collect();
        assert_eq!(fields, [(1, ProtobufValue::Number(150)), (3, ProtobufValue::Bytes(&[7; 300]))]);
        for cut in 0..message.len() {
            assert!(MessageFields(&message[..cut]).count() < 2);
        }
        assert_eq!(MessageFields(&[0x0b, 0xff, 0xff]).count(), 0);
        assert_eq!(MessageFields(&[0xff; 40]).count(), 0);
    }
}
