//! Changes inputs at random, as libFuzzer does, without its knowledge of what they reach.

use fastrand::Rng;

/// An input grows no longer, in bytes.
const LONGEST: usize = 4 << 10;

/// Pieces that parsers care about.
const TOKENS: &[&str] = &[
    "\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    "\0",
    "\u{7f}",
    "\u{1b}[31m",
    "é",
    "\u{200b}",
    "\u{feff}",
    "😀",
    "\\u0000",
    "\\ud800",
    "\"",
    "'",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[]",
    "[[[[[[[[[[[[[[[[",
    "]]]]]]]]]]]]]]]]",
    ",",
    ":",
    ": ",
    "- ",
    "? ",
    "|",
    ">",
    "&a ",
    "*a",
    "!!str ",
    "#",
    "---\n",
    "...",
    "null",
    "~",
    "true",
    "false",
    "yes",
    "NaN",
    ".inf",
    "1e999",
    "-0",
    "0",
    "-1",
    "1.5",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551616",
    "0x10",
    "\"jsonrpc\":\"2.0\"",
    "\"id\":1",
    "\"id\":null",
    "\"result\":",
    "\"error\":{\"code\":1,\"message\":\"m\"}",
    "\"method\":\"m\"",
    "\"params\":{}",
    "$/cancel",
    "$/ack",
    "$/progress",
    "{path}",
    "{a}",
    "{{",
    "}}",
    "please ",
    "not ",
    "~/",
    "../",
    "/tmp/x",
    "by type",
    "\"$ref\":\"#\"",
    "\"type\":\"integer\"",
    "\"default\":",
    "\"required\":[\"a\"]",
    "\"enum\":[1]",
    "  ",
    "\n  ",
    "name: ",
    "metadata:\n",
];

/// Makes inputs of seeds.
pub(super) struct Mutator {
    random: Rng,
    seeds: Vec<Vec<u8>>,
}

impl Mutator {
    pub(super) fn new(seed: u64, mut seeds: Vec<Vec<u8>>) -> Mutator {
        seeds.push(Vec::new());
        Mutator { random: Rng::with_seed(seed), seeds }
    }

    /// A seed with some changes, or bytes that no seed had a part in.
    pub(super) fn next(&mut self) -> Vec<u8> {
        if self.random.u8(..) < 16 {
            let length = self.random.usize(..512);
            return std::iter::repeat_with(|| self.random.u8(..)).take(length).collect();
        }
        let mut input = self.seed();
        for _ in 0..1 << self.random.u32(..6) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.random.usize(..self.seeds.len());
        self.seeds[at].clone()
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let from = self.random.usize(..=input.len());
        let longest = 1 << self.random.u32(..8);
        let to = (from + self.random.usize(..longest)).min(input.len());
        match self.random.u8(..9) {
            0 => drop(input.drain(from..to)),
            1 => {
                let copy = input[from..to].to_vec();
                let at = self.random.usize(..=input.len());
                input.splice(at..at, copy);
            }
            2 => {
                let other = self.seed();
                let begin = self.random.usize(..=other.len());
                let end = (begin + self.random.usize(..200)).min(other.len());
                input.splice(from..to, other[begin..end].iter().copied());
            }
            3 => {
                if let Some(byte) = input.get_mut(from) {
                    *byte ^= 1 << self.random.u8(..8);
                }
            }
            4 => {
                if let Some(byte) = input.get_mut(from) {
                    *byte = self.random.u8(..);
                }
            }
            5 => input.insert(from, self.random.u8(..)),
            _ => {
                let token = TOKENS[self.random.usize(..TOKENS.len())];
                let replaced = if self.random.bool() { from..from } else { from..to };
                input.splice(replaced, token.bytes());
            }
        }
    }
}
