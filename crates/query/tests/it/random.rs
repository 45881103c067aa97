//! Numbers that look random and are the same every time (SplitMix64).

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Up to `most` characters: plain ones, ones that mean something to a format, controls, and the rest of Unicode.
    pub fn text(&mut self, most: u64) -> String {
        let length = self.below(most + 1);
        (0..length).map(|_| self.letter()).collect()
    }

    fn letter(&mut self) -> char {
        const SPECIAL: &[u8] = b"\"\\{}(),' \t\n\r/%_*.:NULnul";
        let code = match self.below(8) {
            0 => u32::from(SPECIAL[self.below(SPECIAL.len() as u64) as usize]),
            1 => 1 + self.below(0x1f) as u32,
            2 => self.below(0x11_0000) as u32,
            _ => 0x20 + self.below(0x5f) as u32,
        };
        char::from_u32(code).filter(|letter| *letter != '\0').unwrap_or('x')
    }
}
