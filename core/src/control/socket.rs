//! The place where the daemon of a home is found: the runtime folder with its lock and its socket.
//!
//! Who holds the lock is the daemon; a socket without it is stale. Folder and socket are their owner's alone, and
//! either side looks at the other's user id.

use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Seek, Write},
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use astros_protocol::{Error, ErrorCode};
use nix::unistd::geteuid;
use tokio::net::{UnixListener, UnixStream};

use super::{failure::no_daemon, http::TOKEN_FILE};
use crate::daemon::paths;

const SOCKET: &str = "control.sock";
/// Where clients lend their streams.
const STREAMS: &str = "streams.sock";
const LOCK: &str = "daemon.lock";
/// `sun_path` has 108 bytes, the last of them zero.
const LONGEST_PATH: usize = 107;

/// [`is_claimed`] takes less.
const LOOKING: Duration = Duration::from_millis(10);

/// The daemon's own place, as long as this is kept.
pub(super) struct Place {
    folder: PathBuf,
    _lock: File,
}

impl Place {
    /// Becomes the daemon of the runtime folder; a second one is told who is there.
    pub(super) fn claim(folder: &Path) -> Result<Place, Error> {
        let fail = |why: String| Error::new(ErrorCode::INVALID_PARAMS, why);
        own(folder).map_err(fail)?;
        let path = folder.join(LOCK);
        let unusable =
            |error: io::Error| fail(format!("the lock `{}` cannot be used: {error}", path.display()));
        let options = OpenOptions::new().read(true).write(true).create(true).mode(0o600).to_owned();
        let mut lock = options.open(&path).map_err(unusable)?;
        // Who only looks whether there is a daemon holds it for a moment.
        for last in [false, false, true] {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if last => return Err(already_runs(&mut lock)),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOKING),
                Err(TryLockError::Error(error)) => return Err(unusable(error)),
            }
        }
        let written = lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id()));
        written.map_err(unusable)?;
        Ok(Place { folder: folder.to_owned(), _lock: lock })
    }

    /// Listens; a socket that somebody left behind is removed.
    pub(super) fn listen(&self) -> Result<UnixListener, Error> {
        self.listen_at(SOCKET)
    }

    /// Listens for those who lend their streams.
    pub(super) fn listen_for_streams(&self) -> Result<UnixListener, Error> {
        self.listen_at(STREAMS)
    }

    fn listen_at(&self, name: &str) -> Result<UnixListener, Error> {
        let path = self.file(name);
        let bound = match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Short::of(&self.folder, name).and_then(|short| UnixListener::bind(&short.path)),
        };
        // The folder keeps others out already; the mode says so to who looks.
        let listening = bound.and_then(|listener| {
            fs::set_permissions(&path, Permissions::from_mode(0o600)).map(|()| listener)
        });
        listening.map_err(|error| {
            let message = format!("the control socket `{}` cannot be made: {error}", path.display());
            Error::new(ErrorCode::INVALID_PARAMS, message)
        })
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.file(SOCKET)
    }

    /// A file beside the socket.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The lock goes with the process; nobody shall wait for a socket that nobody serves, nor
        // take the token for one of the next run.
        for name in [SOCKET, STREAMS, TOKEN_FILE] {
            let _ = fs::remove_file(self.file(name));
        }
    }
}

/// The connection to the daemon of a runtime folder; none where no daemon runs.
pub(super) async fn connect(folder: &Path) -> Result<Option<UnixStream>, Error> {
    connect_at(folder, SOCKET).await
}

/// A connection to where streams are lent.
pub(super) async fn connect_for_streams(folder: &Path) -> Result<Option<UnixStream>, Error> {
    connect_at(folder, STREAMS).await
}

async fn connect_at(folder: &Path, name: &str) -> Result<Option<UnixStream>, Error> {
    let connected = match Short::of(folder, name) {
        Ok(short) => UnixStream::connect(&short.path).await,
        Err(error) => Err(error),
    };
    match connected {
        Ok(stream) => check_peer(&stream).map(|()| Some(stream)),
        Err(error) if nobody(error.kind()) => Ok(None),
        Err(error) => {
            let path = folder.join(name);
            let message = format!("the daemon at `{}` cannot be reached: {error}", path.display());
            Err(no_daemon(message).with_hint("`astros --help` names what works without one"))
        }
    }
}

/// Whether some daemon has the place, though it may not listen yet.
pub fn is_claimed(folder: &Path) -> bool {
    File::open(folder.join(LOCK)).is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Whether a socket that cannot be reached means that no daemon of ours is there.
fn nobody(why: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionRefused, InvalidFilename, NotADirectory, NotFound, PermissionDenied};
    matches!(why, NotFound | ConnectionRefused | NotADirectory | PermissionDenied | InvalidFilename)
}

/// Whoever is at the other end has to be who we are.
pub(super) fn check_peer(stream: &UnixStream) -> Result<(), Error> {
    let own = geteuid().as_raw();
    let found = stream.peer_cred().map(|peer| peer.uid());
    match found {
        Ok(found) if found == own => Ok(()),
        Ok(found) => {
            let message = format!("the control socket's other end is user {found}, expected user {own}");
            Err(Error::new(ErrorCode::PERMISSION_DENIED, message))
        }
        Err(error) => {
            let message = format!("who is at the control socket's other end cannot be told: {error}");
            Err(Error::new(ErrorCode::PERMISSION_DENIED, message))
        }
    }
}

/// A path to the socket that fits into an address; a long one leads through the folder's descriptor.
struct Short {
    path: PathBuf,
    /// The path lives as long as this.
    _folder: Option<File>,
}

impl Short {
    fn of(folder: &Path, name: &str) -> io::Result<Short> {
        let path = folder.join(name);
        if path.as_os_str().len() <= LONGEST_PATH {
            return Ok(Short { path, _folder: None });
        }
        let folder = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()));
        Ok(Short { path, _folder: Some(folder) })
    }
}

/// Makes the folder its owner's alone, or says why it cannot be.
fn own(folder: &Path) -> Result<(), String> {
    paths::create(folder).map_err(|error| error.to_string())?;
    let unusable = |error: io::Error| format!("the folder `{}` cannot be used: {error}", folder.display());
    let about = fs::metadata(folder).map_err(unusable)?;
    let user = geteuid().as_raw();
    if about.uid() != user {
        return Err(format!(
            "the folder `{}` belongs to user {}, expected user {user}: the control socket is its owner's alone",
            folder.display(),
            about.uid()
        ));
    }
    if about.mode() & 0o077 != 0 {
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(unusable)?;
    }
    Ok(())
}

fn already_runs(lock: &mut File) -> Error {
    let mut pid = String::new();
    let known = lock.rewind().and_then(|()| lock.read_to_string(&mut pid)).is_ok() && !pid.is_empty();
    let who = if known { format!(" (pid {pid})") } else { String::new() };
    let error = Error::new(ErrorCode::INVALID_REQUEST, format!("a daemon of this home runs already{who}"));
    error.with_hint(
        "`astros status` shows it, `astros daemon stop` stops it; `ASTROS_HOME` names another home",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_one_daemon_in_and_tells_the_second_who_runs() {
        let base = tempfile::tempdir().unwrap();
        let place = Place::claim(base.path()).unwrap();
        let refused = Place::claim(base.path()).err().unwrap();
        assert!(refused.message.contains(&format!("(pid {})", std::process::id())), "{refused}");
        drop(place);
        Place::claim(base.path()).unwrap();
    }

    #[tokio::test]
    async fn listens_where_a_path_is_longer_than_an_address_and_where_a_socket_is_stale() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("long/".repeat(40));
        let place = Place::claim(&folder).unwrap();
        assert!(connect(&folder).await.unwrap().is_none(), "nobody listens yet");
        drop(place.listen().unwrap());
        assert!(connect(&folder).await.unwrap().is_none(), "what is left is stale");
        let _listener = place.listen().unwrap();
        assert!(connect(&folder).await.unwrap().is_some());
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&place.socket())), (0o700, 0o600));
    }
}
