//! Ways around a path: links of both kinds, renames, descriptors, with a folder granted to stand in.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::Write,
    os::{
        fd::AsRawFd,
        unix::fs::{OpenOptionsExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    process::Command,
};

use nix::libc;

use crate::{
    Outcome,
    alone::owned,
    calls::{address, c, call, denied},
    place::{Place, see},
};

pub(crate) const NAMES: &str = "symlink-to-a-file symlink-to-a-folder symlink-written-through symlink-by-proc \
    symlink-that-is-there chmod-through-a-link hard-link-in hard-link-out hard-link-of-a-descriptor rename-in rename-out \
    rename-over exchange rename-the-granted-folder reopen-by-proc climb-by-dots climb-by-descriptors \
    climb-by-working-folder swap-while-looking write-where-only-reading-is-granted run-a-setuid-program";

const HERE: i64 = libc::AT_FDCWD as i64;

pub(crate) fn attempt(name: &str, at: &Place) -> Option<Outcome> {
    let (file, granted, link) = (at.path("file"), at.path("granted"), at.here("link"));
    Some(match name {
        "symlink-to-a-file" => linked(&file, &link).and_then(see),
        "symlink-to-a-folder" => linked(&at.path("home"), &link)
            .and_then(|link| see(link.join(file.file_name().unwrap_or_default()))),
        "symlink-written-through" => linked(&at.path("victim"), &link).and_then(append),
        "symlink-by-proc" => {
            linked(&Path::new("/proc/self/root").join(file.strip_prefix("/").unwrap_or(&file)), &link)
                .and_then(see)
        }
        "symlink-that-is-there" => see(granted.join("a link out")),
        "chmod-through-a-link" => linked(&at.path("victim"), &link)
            .and_then(|link| fs::set_permissions(link, Permissions::from_mode(0o666)))
            .map(|()| "the mode was changed".to_owned()),
        "hard-link-in" => fs::hard_link(&file, &link).and_then(|()| see(&link)),
        "hard-link-out" => own(at).and_then(|own| fs::hard_link(own, at.planted("link"))).map(said),
        "hard-link-of-a-descriptor" => of_a_descriptor(&file, &link),
        "rename-in" => fs::rename(at.path("movable"), &link).map(said),
        "rename-out" => own(at).and_then(|own| fs::rename(own, at.planted("move"))).map(said),
        "rename-over" => own(at).and_then(|own| fs::rename(own, at.path("replaceable"))).map(said),
        "exchange" => own(at).and_then(|own| exchange(&own, &at.path("victim"))),
        "rename-the-granted-folder" => rename_and_back(&granted),
        "reopen-by-proc" => OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH)
            .open(&file)
            .and_then(|file| see(format!("/proc/self/fd/{}", file.as_raw_fd()))),
        "climb-by-dots" => see(granted.join("../mine").join(file.file_name().unwrap_or_default())),
        "climb-by-descriptors" => climb(&granted, &file),
        "climb-by-working-folder" => std::env::set_current_dir(&granted)
            .and_then(|()| std::env::set_current_dir(".."))
            .and_then(|()| see(Path::new("mine").join(file.file_name().unwrap_or_default()))),
        "swap-while-looking" => swap(at, &file),
        "write-where-only-reading-is-granted" => {
            File::create(at.path("readable").join("planted")).map(|_| "it was written to".to_owned())
        }
        "run-a-setuid-program" => as_its_owner(&at.path("setuid")),
        _ => return None,
    })
}

fn said(_: ()) -> String {
    "it was done".to_owned()
}

fn linked(to: &Path, link: &Path) -> std::io::Result<PathBuf> {
    symlink(to, link)?;
    Ok(link.to_owned())
}

/// A file of the plugin's own.
fn own(at: &Place) -> std::io::Result<PathBuf> {
    let path = at.here("own");
    fs::write(&path, "planted")?;
    Ok(path)
}

fn append(path: PathBuf) -> Outcome {
    OpenOptions::new().append(true).open(path)?.write_all(b"!").map(said)
}

fn of_a_descriptor(file: &Path, link: &Path) -> Outcome {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(file)?;
    let (from, to) = (i64::from(file.as_raw_fd()), c(link));
    call(libc::SYS_linkat, &[from, address(c""), HERE, address(&*to), i64::from(libc::AT_EMPTY_PATH)])?;
    see(link)
}

fn exchange(own: &Path, other: &Path) -> Outcome {
    let flags = i64::from(libc::RENAME_EXCHANGE);
    call(libc::SYS_renameat2, &[HERE, address(&*c(own)), HERE, address(&*c(other)), flags])?;
    see(own)
}

fn rename_and_back(folder: &Path) -> Outcome {
    let away = folder.with_extension("moved");
    fs::rename(folder, &away)?;
    fs::rename(away, folder).map(said)
}

/// From folder to folder, each the one above the last.
fn climb(from: &Path, file: &Path) -> Outcome {
    let mut folder = File::open(from)?;
    let flags = i64::from(libc::O_PATH | libc::O_DIRECTORY);
    let name = c(file.strip_prefix("/").unwrap_or(file));
    for _ in 0..10 {
        folder = owned(call(libc::SYS_openat, &[i64::from(folder.as_raw_fd()), address(c".."), flags])?);
        match call(libc::SYS_openat, &[i64::from(folder.as_raw_fd()), address(&*name), 0]) {
            Ok(found) => return std::io::read_to_string(owned(found)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(denied("nothing is above"))
}

/// A file becomes a link between a look and an opening.
fn swap(at: &Place, file: &Path) -> Outcome {
    let path = own(at)?;
    let link = linked(file, &at.here("swap"))?;
    fs::metadata(&path)?;
    fs::rename(link, &path)?;
    see(path)
}

fn as_its_owner(program: &Path) -> Outcome {
    let output = Command::new(program).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if said.contains("euid=") { Ok(said) } else { Err(denied(said)) }
}
