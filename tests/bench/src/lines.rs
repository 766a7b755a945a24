//! The least that JSON-RPC on pipes takes: lines out of a stream, envelopes whose payload is not looked at.

use std::{
    io::{self, Read},
    ops::Range,
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Any message.
#[derive(Default, Deserialize, Serialize)]
pub struct Message<'a> {
    pub jsonrpc: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'a str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub params: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub result: Option<&'a RawValue>,
}

impl<'a> Message<'a> {
    pub fn request(id: u64, method: &'a str, params: &'a RawValue) -> Message<'a> {
        Message { jsonrpc: "2.0", id: Some(id), method: Some(method), params: Some(params), result: None }
    }

    pub fn response(id: Option<u64>, result: &'a RawValue) -> Message<'a> {
        Message { jsonrpc: "2.0", id, result: Some(result), ..Message::default() }
    }

    pub fn parse(line: &'a [u8]) -> io::Result<Message<'a>> {
        Ok(serde_json::from_slice(line)?)
    }

    pub fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.push(b'\n');
        Ok(())
    }
}

/// The least that one read asks for.
const READ: usize = 64 << 10;

/// Splits a stream into lines without copying those that come whole.
pub struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// What was read and not taken.
    start: usize,
    end: usize,
    searched: usize,
}

impl<R: Read> Lines<R> {
    pub fn new(input: R) -> Lines<R> {
        Lines { input, buffer: vec![0; READ], start: 0, end: 0, searched: 0 }
    }

    /// The next line that is there already.
    pub fn buffered(&mut self) -> Option<&[u8]> {
        self.find().map(|line| &self.buffer[line])
    }

    /// The next line; `UnexpectedEof` where there is none.
    pub fn read(&mut self) -> io::Result<&[u8]> {
        let line = loop {
            if let Some(line) = self.find() {
                break line;
            }
            if !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        Ok(&self.buffer[line])
    }

    /// Reads once; false at the end of the stream.
    pub fn fill(&mut self) -> io::Result<bool> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.searched -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < READ {
            self.buffer.resize(self.end + 2 * READ, 0);
        }
        let read = self.input.read(&mut self.buffer[self.end..])?;
        self.end += read;
        Ok(read > 0)
    }

    fn find(&mut self) -> Option<Range<usize>> {
        let Some(at) = memchr::memchr(b'\n', &self.buffer[self.searched..self.end]) else {
            self.searched = self.end;
            return None;
        };
        let line = self.start..self.searched + at;
        (self.start, self.searched) = (line.end + 1, line.end + 1);
        Some(line)
    }
}
