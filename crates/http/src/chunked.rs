//! Follows a chunked body (RFC 9112 §7.1) just far enough to know where it ends, and strictly: every line ends
//! with CR LF, sizes are plain hexadecimal, extensions and trailers are bounded.

/// Longest size line and trailer section, bytes.
const MAX_LINE: u16 = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scanner {
    state: State,
    /// Bytes of the chunk that are still to come.
    left: u64,
    digits: u8,
    /// Bytes of the current line, or of all trailers.
    line: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a trailer line, or of the empty one that ends the body.
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    Done,
}

pub(crate) struct Malformed;

impl Scanner {
    pub(crate) fn new() -> Self {
        Self { state: State::Size, left: 0, digits: 0, line: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// How many of `bytes` belong to the body. Fewer than given only when the body ends there.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            if self.state == State::Data {
                let step = self.left.min((bytes.len() - at) as u64);
                self.left -= step;
                at += step as usize;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                continue;
            }
            self.step(bytes[at])?;
            at += 1;
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<(), Malformed> {
        self.state = match (self.state, byte) {
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                // 15 digits are more than any limit on bodies lets through.
                self.digits += 1;
                if self.digits > 15 {
                    return Err(Malformed);
                }
                let digit = (byte as char).to_digit(16).ok_or(Malformed)?;
                self.left = self.left * 16 + u64::from(digit);
                State::Size
            }
            (State::Size, b';') if self.digits > 0 => State::Extension,
            (State::Size, b'\r') if self.digits > 0 => State::SizeLf,
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, b'\t' | b' '..=b'~') => self.counted(State::Extension)?,
            (State::SizeLf, b'\n') => {
                self.digits = 0;
                self.line = 0;
                if self.left > 0 { State::Data } else { State::TrailerStart }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size,
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::TrailerStart | State::Trailer, b'\t' | b' '..=b'~' | 0x80..) => {
                self.counted(State::Trailer)?
            }
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::EndLf, b'\n') => State::Done,
            _ => return Err(Malformed),
        };
        Ok(())
    }

    fn counted(&mut self, state: State) -> Result<State, Malformed> {
        self.line += 1;
        if self.line > MAX_LINE { Err(Malformed) } else { Ok(state) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(body: &str, piece: usize) -> Option<usize> {
        let mut scanner = Scanner::new();
        let mut total = 0;
        for bytes in body.as_bytes().chunks(piece) {
            total += scanner.advance(bytes).ok()?;
        }
        scanner.is_done().then_some(total)
    }

    #[test]
    fn the_end_is_found_however_the_bytes_arrive() {
        let body = "5;ext=1\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nTrailer: x\r\n\r\n";
        let more = format!("{body}GET / HTTP/1.1\r\n");
        for piece in [1, 2, 3, 7, 1000] {
            assert_eq!(scan(&more, piece), Some(body.len()), "{piece}");
        }
    }

    #[test]
    fn sloppy_bodies_are_refused() {
        for bad in [
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhelloo\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            "ffffffffffffffff\r\n",
            "0\r\n\n",
            "0\r\na: b\n\r\n",
        ] {
            assert_eq!(scan(bad, 1000), None, "{bad:?}");
        }
    }
}
