//! The end of a chunked body (RFC 9112, section 7.1).

/// The place in a chunked body of the next byte that is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// In the line with the size of a chunk; the size so far.
    Size(u64),
    /// Behind the digits of that line.
    Extension(u64),
    /// In a chunk with so many bytes to come, including its line end.
    Data(u64),
    /// At the start of a trailer line, or of the empty line that ends the body.
    LineStart,
    /// In a trailer line.
    Trailer,
    /// Behind the CR of a trailer line.
    TrailerLf,
    /// Behind the CR of the last line.
    EndLf,
    /// Behind the body.
    End,
}

// === impl Chunks ===

impl Chunks {
    /// Moves on to the end of `bytes` or of the body, and returns the length of that. The decoder
    /// checks what is skipped here.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && *self != Self::End {
            if let Self::Data(left) = *self {
                let rest = bytes.len() - at;
                let taken = usize::try_from(left).map_or(rest, |left| left.min(rest));
                at += taken;
                *self = match left - taken as u64 {
                    0 => Self::Size(0),
                    left => Self::Data(left),
                };
            } else {
                *self = self.step(bytes[at]);
                at += 1;
            }
        }
        at
    }

    fn step(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Size(0) | Self::Extension(0), b'\n') => Self::LineStart,
            (Self::Size(size) | Self::Extension(size), b'\n') => Self::Data(size.saturating_add(2)),
            (Self::Size(size), _) => match char::from(byte).to_digit(16) {
                Some(digit) => Self::Size(size.saturating_mul(16).saturating_add(digit.into())),
                None => Self::Extension(size),
            },
            (Self::LineStart, b'\r') => Self::EndLf,
            (Self::Trailer, b'\r') => Self::TrailerLf,
            (Self::LineStart | Self::Trailer, _) => Self::Trailer,
            (Self::TrailerLf, _) => Self::LineStart,
            (Self::EndLf, _) => Self::End,
            (state @ (Self::Extension(_) | Self::Data(_) | Self::End), _) => state,
        }
    }
}

impl Default for Chunks {
    fn default() -> Self {
        Self::Size(0)
    }
}
