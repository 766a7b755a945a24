//! Files that no grant names, by their plain paths.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::Write,
    os::{
        fd::AsRawFd,
        unix::fs::{OpenOptionsExt, PermissionsExt, chown},
    },
    path::Path,
};

use nix::libc;

use crate::{
    Outcome,
    alone::owned,
    calls::{address, c, call, denied, passes},
    place::{Place, see},
};

pub(crate) const NAMES: &str = "read-file read-dot-file read-ssh-key read-database read-token read-secrets \
    read-audit-log read-configuration read-other-data read-other-cache read-other-code read-other-log read-shadow \
    read-through-a-descriptor-of-a-folder list-home list-temporary write-file truncate-file create-file \
    create-folder create-pipe remove-file write-shell-profile write-configuration write-own-manifest write-own-code \
    replace-own-code write-other-data write-other-code write-system write-etc chmod-file chown-file set-times-of-file \
    set-attribute-of-file lock-file watch-file make-a-device open-by-handle see-host-memory-files other-temporary \
    fill-the-temporary-folder";

pub(crate) fn attempt(name: &str, at: &Place) -> Option<Outcome> {
    Some(match name {
        "read-shadow" => see("/etc/shadow"),
        "read-through-a-descriptor-of-a-folder" => by_descriptor(&at.path("file")),
        "list-home" => list(&at.path("home")),
        "list-temporary" => strangers(&at.path("lying")),
        "write-file" => append(&at.path("victim"), b"!"),
        "truncate-file" => OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(at.path("victim"))
            .map(|_| "cut short".to_owned()),
        "create-file" => File::create_new(at.planted("file")).map(|_| "a file was planted".to_owned()),
        "create-folder" => fs::create_dir(at.planted("folder")).map(|()| "a folder was made".to_owned()),
        "create-pipe" => make(&at.planted("pipe"), libc::S_IFIFO, 0),
        "remove-file" => fs::remove_file(at.path("removable")).map(|()| "a file was removed".to_owned()),
        "write-shell-profile" => append(&at.path("dot_file"), b"# here I am\n"),
        "write-configuration" => append(&at.path("configuration"), b"\n"),
        "write-own-manifest" => append(Path::new("plugin.yaml"), b"\n"),
        // A program that runs cannot be written to, but another may be put in its place.
        "write-own-code" => replace(&at.path("own_code"), true),
        "replace-own-code" => replace(&at.path("own_code"), false),
        "write-other-data" => append(&at.path("other_data"), b"!"),
        "write-other-code" => append(&at.path("other_code"), b"\n"),
        "write-system" => append(Path::new("/usr/bin/env"), b"").or_else(busy),
        "write-etc" => append(Path::new("/etc/passwd"), b""),
        "chmod-file" => mode(&at.path("victim")),
        "chown-file" => {
            chown(at.path("victim"), Some(nix::unistd::getuid().as_raw()), None).map(|()| "set".to_owned())
        }
        "set-times-of-file" => times(&at.path("victim")),
        "set-attribute-of-file" => attribute(&at.path("victim")),
        "lock-file" => {
            File::open(at.path("victim")).and_then(|file| file.lock()).map(|()| "locked".to_owned())
        }
        "watch-file" => watch(&at.path("file")),
        "make-a-device" => device(&at.path("own_data").join("device")),
        "open-by-handle" => by_handle(at),
        "see-host-memory-files" => see(at.path("shared_file")),
        "other-temporary" => see(at.path("other_temporary")),
        "fill-the-temporary-folder" => fill(),
        read => see(at.path(&read.strip_prefix("read-")?.replace('-', "_"))),
    })
}

fn list(folder: &Path) -> Outcome {
    Ok(format!("{} entries are seen", fs::read_dir(folder)?.count()))
}

/// The folder that everybody's temporary files are in has this one.
fn strangers(lying: &Path) -> Outcome {
    let name = lying.file_name();
    let seen = fs::read_dir(lying.parent().unwrap_or(lying))?
        .flatten()
        .any(|entry| Some(&*entry.file_name()) == name);
    if seen { Ok("it has what others put there".to_owned()) } else { Err(denied("nobody else's is there")) }
}

fn append(path: &Path, what: &[u8]) -> Outcome {
    OpenOptions::new().append(true).open(path)?.write_all(what)?;
    Ok(format!("{} was written to", path.display()))
}

/// A program that runs is busy, which is found only where writing is allowed.
fn busy(error: std::io::Error) -> Outcome {
    match error.raw_os_error() {
        Some(libc::ETXTBSY) => Ok("it was allowed, and is busy".to_owned()),
        _ => Err(error),
    }
}

fn replace(path: &Path, by_copy: bool) -> Outcome {
    let beside = path.with_extension("new");
    if by_copy {
        fs::copy(path, &beside)?;
    } else {
        fs::rename(path, &beside)?;
    }
    fs::rename(&beside, path)?;
    Ok("the code could be replaced".to_owned())
}

fn mode(path: &Path) -> Outcome {
    fs::set_permissions(path, Permissions::from_mode(0o666))?;
    Ok("the mode was changed".to_owned())
}

/// By the path alone: who may open a file for writing may set its times anyway.
fn times(path: &Path) -> Outcome {
    let long_ago = [1_i64, 0, 1, 0];
    call(libc::SYS_utimensat, &[i64::from(libc::AT_FDCWD), address(&*c(path)), address(&long_ago), 0])?;
    Ok("the times were set".to_owned())
}

fn attribute(path: &Path) -> Outcome {
    let value = b"here";
    passes(libc::SYS_setxattr, &[address(&*c(path)), address(c"user.astros"), address(value), 4, 0], &[])
}

fn watch(path: &Path) -> Outcome {
    let inotify = call(libc::SYS_inotify_init1, &[0])?;
    passes(libc::SYS_inotify_add_watch, &[inotify, address(&*c(path)), 0xFFF], &[])
}

fn make(path: &Path, kind: u32, device: i64) -> Outcome {
    let path = c(path);
    let arguments = [i64::from(libc::AT_FDCWD), address(&*path), i64::from(kind | 0o600), device];
    passes(libc::SYS_mknodat, &arguments, &[])
}

/// The null device, made anew.
fn device(path: &Path) -> Outcome {
    make(path, libc::S_IFCHR, 0x103)?;
    let opened = File::open(path);
    fs::remove_file(path)?;
    opened.map(|_| "a device was made and opened".to_owned())
}

fn by_descriptor(path: &Path) -> Outcome {
    let folder = path.parent().unwrap_or(path);
    let folder = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(folder)?;
    let name = c(path.file_name().unwrap_or_default());
    let file = call(libc::SYS_openat, &[i64::from(folder.as_raw_fd()), address(&*name), 0])?;
    std::io::read_to_string(owned(file))
}

/// A file by its number on the file system; the handle was made outside.
fn by_handle(at: &Place) -> Outcome {
    let (kind, bytes) = at.handle();
    let size = u32::try_from(bytes.len()).unwrap_or(0);
    let handle = [&size.to_ne_bytes()[..], &kind.to_ne_bytes(), &bytes].concat();
    let somewhere = File::open(at.path("own_data"))?;
    let file = call(libc::SYS_open_by_handle_at, &[i64::from(somewhere.as_raw_fd()), address(&*handle), 0])?;
    std::io::read_to_string(owned(file))
}

fn fill() -> Outcome {
    const BYTES: i64 = 640 << 20;
    let path = std::env::temp_dir().join("much");
    let file = File::create(&path)?;
    let filled = passes(libc::SYS_fallocate, &[i64::from(file.as_raw_fd()), 0, 0, BYTES], &[]);
    fs::remove_file(&path)?;
    filled
}
