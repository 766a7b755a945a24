//! What a plugin sees of the files: a new root, with what it was given mounted into it.
//!
//! The root is a small read-only tmpfs. Every path of the confinement is a mount of its own in it, those above before
//! those below, so that a smaller right below a larger one holds, and the other way round. Sources and mount points are
//! opened without links.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, readlinkat,
        statat, symlinkat,
    },
    io::Errno,
    mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount},
    process::{chdir, fchdir, geteuid, pivot_root, umask},
};

use super::{
    Access, Confinement, files, limits,
    mounts::{self, DEVICE, PLAIN, READ_ONLY},
    step::{Step, failed},
};

/// What every plugin has for itself, until it ends.
pub(crate) const TEMPORARY: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
/// Together at most so large, in bytes, and no larger than the plugin's memory: it is memory.
const TEMPORARY_SIZE: u64 = 512 << 20;
/// Bytes for each file, as the kernel has it: empty files take memory, too.
const A_FILE: u64 = 4096;
pub(super) const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
const DEVICE_LINKS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

const PROC_OF_ROOT: [&str; 8] =
    ["kcore", "keys", "kpagecgroup", "kpagecount", "kpageflags", "slabinfo", "timer_list", "vmallocinfo"];

const HERE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// A folder whose names nobody lists; what is mounted in it can be reached.
const CLOSED: Mode = Mode::from_raw_mode(0o111);
const LISTED: Mode = Mode::from_raw_mode(0o555);
const FOLDER: Mode = Mode::from_raw_mode(0o755);
const ANYBODYS: Mode = Mode::from_raw_mode(0o1777);

/// What is at a path.
#[derive(Clone, Copy)]
enum Place {
    Given(Access),
    Temporary,
    /// Another folder stands for it.
    Staged,
}

/// Makes the new root, and is in it then. Only in a mount namespace of this process's own.
pub(super) fn enter(confinement: &Confinement) -> io::Result<()> {
    let mask = umask(Mode::empty());
    let alone = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", alone).step("keeping mounts to itself")?;
    let mut root = Root::new(confinement).step("making a new root")?;
    let temporary = root.temporary(confinement.limits.memory).step("making its temporary folders")?;
    root.devices()?;
    root.secrets().step("covering what is in `/proc`")?;
    let mut places: BTreeMap<&Path, Place> =
        TEMPORARY.iter().map(|path| (Path::new(path), Place::Temporary)).collect();
    places.extend(confinement.stages.keys().map(|path| (&**path, Place::Staged)));
    let given = confinement.by_path();
    places.extend(pinned(&given)?.into_iter().map(|path| (path, Place::Given(Access::Write))));
    places.extend(given.iter().map(|(path, access)| (&**path, Place::Given(*access))));
    for (path, place) in places {
        let stage = confinement.stages.get(path).map(|stage| &**stage);
        root.put(path, place, stage, &temporary).step(format_args!("mounting `{}`", path.display()))?;
    }
    for (socket, at) in &confinement.buses {
        root.socket(socket, at).step(format_args!("mounting `{}`", at.display()))?;
    }
    root.close().step("entering the new root")?;
    umask(mask);
    Ok(())
}

/// What lies between a folder that may be written and something less below it. Who could move that away would find it
/// uncovered at the next start, and could put something else in its place: a mount stays where it is.
fn pinned(given: &BTreeMap<PathBuf, Access>) -> io::Result<Vec<&Path>> {
    let mut pinned = Vec::new();
    for (path, access) in given.iter().filter(|(_, access)| **access < Access::Write) {
        let mut above = path.ancestors().skip(1).filter_map(|above| given.get_key_value(above));
        let Some((above, Access::Write)) = above.next() else { continue };
        pinned.extend(path.ancestors().skip(1).take_while(|between| between != above));
        if *access == Access::Hidden && matches!(files::open(path), Ok(None)) {
            let (path, above) = (path.display(), above.display());
            return Err(failed(format_args!("`{path}` is not there to be hidden, below `{above}`")));
        }
    }
    Ok(pinned)
}

struct Root {
    root: OwnedFd,
    /// A folder that is not seen from the root: what covers something is made here.
    backstage: OwnedFd,
    covers: Vec<OwnedFd>,
}

impl Root {
    fn new(confinement: &Confinement) -> io::Result<Root> {
        // Before anything covers the old one: a new one is only to be had where an old one is seen.
        let proc = mounts::proc()?;
        limits::number_processes(&proc, confinement);
        // Uid 0 owns what sets the machine.
        mounts::restrict(&proc, READ_ONLY)?;
        let backstage = mounts::tmpfs(&[("size", "16m"), ("mode", "0755")])?;
        // Nothing that is given is below it, and it is in every system.
        mounts::attach(&backstage, openat(CWD, "/proc", HERE, Mode::empty())?)?;
        mkdirat(&backstage, "root", FOLDER)?;
        let folder = openat(&backstage, "root", HERE, Mode::empty())?;
        let root = mounts::copy(&folder, PLAIN)?;
        mounts::attach(&root, &folder)?;
        let new = Root { root, backstage, covers: Vec::new() };
        mounts::attach(&proc, new.folder(Path::new("/proc"))?)?;
        Ok(new)
    }

    fn devices(&self) -> io::Result<()> {
        let device = |path: &str| {
            let device = openat(CWD, path, HERE, Mode::empty())?;
            mounts::attach(&mounts::copy(&device, DEVICE)?, self.file(Path::new(path))?)
        };
        for path in DEVICES {
            device(path).step(format_args!("mounting `{path}`"))?;
        }
        for (path, target) in DEVICE_LINKS {
            symlinkat(target, &self.root, &path[1..]).step(format_args!("linking `{path}`"))?;
        }
        Ok(())
    }

    /// What only uid 0 reads of the whole machine, and needs no capability for.
    fn secrets(&mut self) -> io::Result<()> {
        for name in PROC_OF_ROOT.iter().filter(|_| geteuid().is_root()) {
            self.hide(&Path::new("/proc").join(name), FileType::RegularFile)?;
        }
        Ok(())
    }

    /// One file system for all temporary folders, which are folders of it.
    fn temporary(&self, memory: Option<u64>) -> io::Result<OwnedFd> {
        // None of either would be no limit.
        let size = memory.unwrap_or(TEMPORARY_SIZE).clamp(1 << 20, TEMPORARY_SIZE);
        let (files, size) = ((size / A_FILE).to_string(), size.to_string());
        let all = mounts::tmpfs(&[("size", &size), ("nr_inodes", &files), ("mode", "0755")])?;
        mkdirat(&self.backstage, "temporary", FOLDER)?;
        mounts::attach(&all, openat(&self.backstage, "temporary", HERE, Mode::empty())?)?;
        Ok(all)
    }

    fn put(
        &mut self,
        path: &Path,
        place: Place,
        stage: Option<&Path>,
        temporary: &OwnedFd,
    ) -> io::Result<()> {
        let access = match place {
            Place::Staged => return self.stage(path, stage.unwrap_or(path)).map(drop),
            Place::Temporary => {
                let name = path.to_string_lossy().replace('/', "-");
                mkdirat(temporary, &*name, ANYBODYS)?;
                let own = openat(temporary, &*name, HERE, Mode::empty())?;
                return mounts::attach(&mounts::copy(&own, PLAIN)?, self.folder(path)?);
            }
            Place::Given(access) => access,
        };
        let Some((source, kind)) = files::open(path)? else { return Ok(()) };
        let attributes = match access {
            Access::Hidden => return self.hide(path, kind),
            Access::List => return self.list(path, source, kind, stage),
            Access::Read => READ_ONLY,
            Access::Write => PLAIN,
        };
        let at = match kind {
            FileType::Symlink => return self.link(path, &source),
            FileType::Directory => self.folder(path)?,
            _ => self.file(path)?,
        };
        mounts::attach(&mounts::copy(&source, attributes)?, at)
    }

    /// Covers what is seen there, if it is.
    fn hide(&mut self, path: &Path, kind: FileType) -> io::Result<()> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let at = match openat2(&self.root, inside(path), HERE, Mode::empty(), resolve) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            at => at?,
        };
        match kind {
            FileType::Symlink => Err(failed("a link cannot be hidden")),
            FileType::Directory => self.cover(&at, CLOSED).map(drop),
            _ => {
                let empty = file_in(&self.backstage, OsStr::new("empty"))?;
                mounts::attach(&mounts::copy(&empty, READ_ONLY)?, &at)
            }
        }
    }

    /// Puts another folder there, which can be written to.
    fn stage(&self, path: &Path, stage: &Path) -> io::Result<OwnedFd> {
        let Some((source, FileType::Directory)) = files::open(stage)? else {
            return Err(failed("what stands for it is not there"));
        };
        let stage = mounts::copy(&source, PLAIN)?;
        mounts::attach(&stage, self.folder(path)?)?;
        Ok(stage)
    }

    /// The names that are there now, with nothing behind them; in a stage beside what is made.
    fn list(&mut self, path: &Path, source: OwnedFd, kind: FileType, stage: Option<&Path>) -> io::Result<()> {
        if kind != FileType::Directory {
            return Ok(());
        }
        let staged = stage.map(|stage| self.stage(path, stage)).transpose()?;
        let cover = match &staged {
            Some(staged) => staged,
            None => self.cover(&self.folder(path)?, LISTED)?,
        };
        let source =
            openat(&source, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        for entry in Dir::read_from(&source)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_stage =
                stage.is_some_and(|stage| stage.file_name() == Some(OsStr::from_bytes(name.to_bytes())));
            if name == c"." || name == c".." || is_stage {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    FileType::from_raw_mode(statat(&source, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
                }
                kind => kind,
            };
            match kind {
                FileType::Directory => mkdirat(cover, name, CLOSED)?,
                FileType::Symlink => symlinkat(readlinkat(&source, name, Vec::new())?, cover, name)?,
                _ => drop(openat(cover, name, OFlags::CREATE | OFlags::CLOEXEC, Mode::empty())?),
            }
        }
        Ok(())
    }

    /// Puts an empty folder there; it can be written to until the root is closed.
    fn cover(&mut self, at: &OwnedFd, mode: Mode) -> io::Result<&OwnedFd> {
        let name = format!("{}", self.covers.len());
        mkdirat(&self.backstage, &*name, mode)?;
        let folder = openat(&self.backstage, &*name, HERE, Mode::empty())?;
        let cover = mounts::copy(&folder, PLAIN)?;
        mounts::attach(&cover, at)?;
        self.covers.push(cover);
        Ok(&self.covers[self.covers.len() - 1])
    }

    /// A link of the old root is one in the new one, `/bin` to `usr/bin`; what it leads to has its own rule.
    fn link(&self, path: &Path, source: &OwnedFd) -> io::Result<()> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        match symlinkat(readlinkat(source, c"", Vec::new())?, self.folder(parent)?, name) {
            Err(Errno::EXIST) => Ok(()),
            linked => Ok(linked?),
        }
    }

    fn socket(&self, socket: &Path, at: &Path) -> io::Result<()> {
        let socket = openat(CWD, socket, HERE, Mode::empty())?;
        mounts::attach(&mounts::copy(&socket, PLAIN)?, self.file(at)?)
    }

    /// A folder of the new root, made with those above it where it is not there yet.
    fn folder(&self, path: &Path) -> io::Result<OwnedFd> {
        let mut folder = self.root.try_clone()?;
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            let next = || openat(&folder, name, HERE | OFlags::DIRECTORY, Mode::empty());
            let next = match next() {
                Err(Errno::NOENT) => {
                    mkdirat(&folder, name, FOLDER)?;
                    next()?
                }
                next => next?,
            };
            folder = next;
        }
        Ok(folder)
    }

    /// A file of the new root, made where it is not there yet.
    fn file(&self, path: &Path) -> io::Result<OwnedFd> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(failed("it is no file"));
        };
        file_in(&self.folder(parent)?, name)
    }

    /// Nothing is made in it any more, and nothing else is there.
    fn close(self) -> io::Result<()> {
        for mount in self.covers.iter().chain([&self.root]) {
            mounts::restrict(mount, READ_ONLY)?;
        }
        fchdir(&self.root)?;
        pivot_root(".", ".")?;
        // The old root lies above the new one now.
        unmount(".", UnmountFlags::DETACH)?;
        Ok(chdir("/")?)
    }
}

/// A file that nobody reads, made where it is not there yet.
fn file_in(folder: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let file = || openat(folder, name, HERE, Mode::empty());
    match file() {
        Err(Errno::NOENT) => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            drop(openat(folder, name, flags, Mode::empty())?);
            Ok(file()?)
        }
        file => Ok(file?),
    }
}

/// A path as it is called from the root.
fn inside(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes().strip_prefix(b"/").unwrap_or_default()
}
