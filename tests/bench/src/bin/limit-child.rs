//! The child of the limit: one thread, blocking reads and writes, answers what came in one read with one write.
//! `echo` gives back its params; `route` calls the host's `echo` n times and tells how long each took.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    time::Instant,
};

use astros_bench::{Lines, Message};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

/// What `route` takes.
#[derive(Deserialize)]
struct Route<'a> {
    calls: u64,
    #[serde(borrow)]
    payload: &'a RawValue,
}

fn main() -> io::Result<()> {
    // Without the buffers of std's own handles.
    let mut lines = Lines::new(File::from(io::stdin().as_fd().try_clone_to_owned()?));
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let empty = to_raw_value(&serde_json::json!({}))?;
    let mut out = Vec::new();
    while lines.fill()? {
        let mut route = None;
        while let Some(line) = lines.buffered() {
            let message = Message::parse(line)?;
            match message.method {
                Some("echo") => {
                    Message::response(message.id, message.params.unwrap_or(&empty)).write(&mut out)?
                }
                // It comes alone; what it asks is asked outside of this loop, which borrows the lines.
                Some("route") => route = message.params.map(|params| (message.id, params.to_owned())),
                _ => Message::response(message.id, &empty).write(&mut out)?,
            }
        }
        if let Some((id, params)) = route {
            let times = to_raw_value(&routed(&mut lines, &mut output, &params)?)?;
            Message::response(id, &times).write(&mut out)?;
        }
        if !out.is_empty() {
            output.write_all(&out)?;
            out.clear();
        }
    }
    Ok(())
}

fn routed(lines: &mut Lines<File>, output: &mut File, params: &RawValue) -> io::Result<Vec<u64>> {
    let Route { calls, payload } = serde_json::from_str(params.get())?;
    let mut times = Vec::new();
    for id in 0..calls {
        let begin = Instant::now();
        let mut out = Vec::with_capacity(payload.get().len() + 64);
        Message::request(id, "echo", payload).write(&mut out)?;
        output.write_all(&out)?;
        let answer = Message::parse(lines.read()?)?;
        if answer.result.is_none() {
            return Err(io::Error::other("the host answered without a result"));
        }
        times.push(u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(times)
}
