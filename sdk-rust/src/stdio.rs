//! The two streams that the protocol runs on, out of reach of whatever the plugin prints or its children read.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::FileTypeExt,
    },
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{
        UnixStream,
        unix::pipe::{self, OpenOptions},
    },
};

pub(crate) type Input = Box<dyn AsyncRead + Send + Unpin>;
pub(crate) type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// The descriptors of the protocol, private and closed in children.
pub(crate) struct Descriptors {
    input: OwnedFd,
    output: OwnedFd,
}

impl Descriptors {
    /// Takes the protocol away from stdin and stdout: fd 0 becomes /dev/null, fd 1 what stderr is.
    pub(crate) fn take() -> io::Result<Descriptors> {
        // Copies of descriptors are made with CLOEXEC, and above 2.
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
        nix::unistd::dup2_stdout(io::stderr())?;
        Ok(Descriptors { input, output })
    }

    /// Those that `ASTROS_RPC_FDS` names, such as `3,4`; stdin, stdout and stderr are the user's then.
    pub(crate) fn named(list: &str) -> io::Result<Descriptors> {
        let numbers = list.split_once(',').map(|(input, output)| (input.parse(), output.parse()));
        let Some((Ok(input), Ok(output))) = numbers else {
            return Err(io::Error::other(format!(
                "`ASTROS_RPC_FDS` is `{list}`, expected two numbers: `3,4`"
            )));
        };
        let input = adopt(input, File::options().read(true))?;
        Ok(Descriptors { input, output: adopt(output, File::options().write(true))? })
    }

    /// Streams of them, in the current runtime.
    pub(crate) fn open(self) -> io::Result<(Input, Output)> {
        Ok((open_input(self.input)?, open_output(self.output)?))
    }
}

/// Opens a numbered descriptor anew and closes the old one, which children would inherit.
fn adopt(number: i32, options: &std::fs::OpenOptions) -> io::Result<OwnedFd> {
    let opened = options.open(format!("/proc/self/fd/{number}")).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("descriptor {number} of `ASTROS_RPC_FDS` is no open pipe: {error}"),
        )
    })?;
    if number > 2 {
        nix::unistd::close(number)?;
    }
    Ok(opened.into())
}

// Pipes are opened as descriptions of their own, so that O_NONBLOCK does not reach whoever shares the host's.
fn open_input(fd: OwnedFd) -> io::Result<Input> {
    Ok(match kind(&fd)? {
        Kind::Pipe => {
            let receiver: pipe::Receiver = OpenOptions::new().open_receiver(path(&fd))?;
            Box::new(receiver)
        }
        Kind::Socket => Box::new(socket(fd)?),
        Kind::Other => Box::new(tokio::fs::File::from_std(fd.into())),
    })
}

fn open_output(fd: OwnedFd) -> io::Result<Output> {
    Ok(match kind(&fd)? {
        Kind::Pipe => {
            let sender: pipe::Sender = OpenOptions::new().open_sender(path(&fd))?;
            Box::new(sender)
        }
        Kind::Socket => Box::new(socket(fd)?),
        Kind::Other => Box::new(tokio::fs::File::from_std(fd.into())),
    })
}

enum Kind {
    Pipe,
    Socket,
    /// A file, a device, a terminal.
    Other,
}

fn kind(fd: &OwnedFd) -> io::Result<Kind> {
    let kind = File::from(fd.try_clone()?).metadata()?.file_type();
    Ok(match (kind.is_fifo(), kind.is_socket()) {
        (true, _) => Kind::Pipe,
        (_, true) => Kind::Socket,
        _ => Kind::Other,
    })
}

fn path(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn socket(fd: OwnedFd) -> io::Result<UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(fd);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}
