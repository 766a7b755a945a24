//! New files that a person names where the sandbox lets nothing be made: there the process sees a folder of its own, and
//! what it made by these names is put in its place when it has ended.
//!
//! That folder lies in the one that it stands for, so that bringing a file there is giving it its name.

use std::{
    collections::BTreeMap,
    ffi::{CString, OsStr, OsString},
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
};

use astros_protocol::{Error, ErrorCode};
use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Stat, chmodat, fchmod, fstat,
        mkdirat, openat, openat2, renameat_with, statat, unlinkat,
    },
    io::Errno,
};

use super::confine::{MOST_ENTRIES, resolved};
use crate::launcher::{Access, Confinement, TEMPORARY};

/// What the name of each begins with.
const PREFIX: &str = ".astros-";
/// So many of what did not get to its place are told.
const MOST_TOLD: usize = 10;

/// A file or folder that a person names and that is not there.
#[derive(Clone, Debug, PartialEq)]
pub struct Absent {
    /// Absolute; what it is in is there.
    pub path: PathBuf,
    /// Whether it is declared to be a path; else it may be any word.
    pub surely: bool,
}

impl Absent {
    /// Of an absolute path: the path itself, or the first folder of it that is not there. None where it is there, or
    /// nobody can tell.
    pub fn of(path: &Path, surely: bool) -> Option<Absent> {
        let absent =
            |path: &Path| path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        let first = path.ancestors().take_while(|one| absent(one)).last()?;
        Some(Absent { path: first.to_owned(), surely })
    }
}

/// The folders in which one process makes what is not there yet. Dropped, it is brought to its place as well.
#[derive(Default)]
pub(super) struct Stages(BTreeMap<PathBuf, Stage>);

/// One of them. What others rename or link meanwhile leads nowhere else: both are held open.
struct Stage {
    place: OwnedFd,
    folder: OwnedFd,
    folder_name: String,
    names: Vec<OsString>,
}

impl Stages {
    /// Makes one for each folder in which the process could make nothing, and lets it see those.
    ///
    /// # Errors
    /// What is surely meant would be lost with the process, or cannot be made.
    pub(super) fn new(absent: &[Absent], confinement: &mut Confinement) -> Result<Stages, Error> {
        let mut stages = Stages::default();
        for Absent { path, surely } in absent.iter().filter(|_| confinement.means.namespaces) {
            let real = resolved(path);
            let (Some(above), Some(name)) = (real.parent(), real.file_name()) else { continue };
            let held = |path: &Path| confinement.files.iter().find(|rule| rule.path == path);
            let around = above.ancestors().find_map(held).map(|rule| rule.access);
            let allowed = held(&real).is_some_and(|rule| rule.access == Access::Write);
            let kept = |path: &Path| path.starts_with(&real) && path != real;
            let keeps = confinement.files.iter().any(|rule| kept(&rule.path) && rule.access < Access::Write);
            if !allowed || keeps || above == Path::new("/") {
                continue;
            }
            if !stages.0.contains_key(above) {
                let stage = match around {
                    None => Stage::new(above),
                    Some(Access::List) if is_short(above) => Stage::new(above),
                    Some(Access::List | Access::Read) => Err(Errno::TOOBIG),
                    Some(Access::Hidden | Access::Write) => continue,
                };
                let stage = match stage {
                    Ok(stage) => stage,
                    Err(error) if *surely && (error == Errno::TOOBIG || is_temporary(above)) => {
                        return Err(cannot_be_made(path, above, error));
                    }
                    // Where the person can make nothing, nothing is to be made for them.
                    Err(_) => continue,
                };
                confinement.stages.insert(above.to_owned(), above.join(&stage.folder_name));
                stages.0.insert(above.to_owned(), stage);
            }
            stages.0.get_mut(above).into_iter().for_each(|stage| stage.names.push(name.to_owned()));
        }
        Ok(stages)
    }

    /// Brings what was made to its place, once the process has ended; says what did not get there.
    pub(super) async fn bring(&mut self) -> Vec<String> {
        let all = std::mem::take(&mut self.0);
        if all.is_empty() {
            return Vec::new();
        }
        // What a plugin left may be much.
        tokio::task::spawn_blocking(|| bring(all)).await.unwrap_or_default()
    }
}

fn bring(all: BTreeMap<PathBuf, Stage>) -> Vec<String> {
    let mut lost: Vec<_> = all.into_iter().flat_map(|(place, stage)| stage.bring(&place)).collect();
    let more = lost.len().saturating_sub(MOST_TOLD);
    lost.truncate(MOST_TOLD);
    lost.extend((more > 0).then(|| format!("and {more} more")));
    lost
}

impl Drop for Stages {
    fn drop(&mut self) {
        for lost in bring(std::mem::take(&mut self.0)) {
            tracing::warn!("{lost}");
        }
    }
}

impl Stage {
    /// In a folder without links on the way to it.
    fn new(place: &Path) -> Result<Stage, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = openat2(CWD, place, OFlags::PATH | flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
        let folder_name = format!("{PREFIX}{:016x}", fastrand::u64(..));
        mkdirat(&place, &*folder_name, Mode::RWXU)?;
        let folder = openat(&place, &*folder_name, flags, Mode::empty())?;
        Ok(Stage { place, folder, folder_name, names: Vec::new() })
    }

    fn bring(self, place: &Path) -> Vec<String> {
        let (mut lost, mut keep) = (Vec::new(), false);
        let shown = |name: &OsStr| format!("`{}`", place.join(name).display().to_string().escape_debug());
        if fstat(&self.folder).is_ok_and(|stat| stat.st_nlink == 0) {
            return vec![format!("`{}` was removed, with what the command made in it", place.display())];
        }
        // The plugin may have closed it.
        let _ = fchmod(&self.folder, Mode::RWXU);
        let entries = self.entries();
        for (name, made) in &entries {
            let is_there = statat(&self.place, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
            if is_there && is_stand_in(made, self.names.contains(name)) {
                continue;
            }
            if self.names.iter().any(|named| is_after(name, named)) {
                match self.put(name) {
                    Ok(put) if put == *name => {}
                    Ok(put) => {
                        let (name, put) = (shown(name), shown(&put));
                        lost.push(format!("{name} is there already: what the command made is {put}"));
                    }
                    Err(error) => {
                        keep = true;
                        let error = io::Error::from(error);
                        let kept = shown(&Path::new(&self.folder_name).join(name).into_os_string());
                        lost.push(format!("{} cannot be made: {error}; it is {kept}", shown(name)));
                    }
                }
            } else if !name.as_bytes().starts_with(b".")
                && !TEMPORARY.iter().any(|one| place == Path::new(one))
            {
                lost.push(format!(
                    "{} is not made: only what is named is; name its folder to let a command make more there",
                    shown(name)
                ));
            }
        }
        if !keep {
            self.remove(place);
        }
        lost
    }

    fn entries(&self) -> Vec<(OsString, Stat)> {
        let entries = Dir::read_from(&self.folder).into_iter().flatten().flatten();
        let entries = entries.map(|entry| entry.file_name().to_owned());
        let entries = entries.filter(|name| name.as_c_str() != c"." && name.as_c_str() != c"..");
        let stat = |name: &CString| statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW).ok();
        entries
            .filter_map(|name| stat(&name).map(|stat| (OsString::from_vec(name.into_bytes()), stat)))
            .collect()
    }

    /// Gives a new file its name, or one with a number where that is taken: nothing is replaced.
    fn put(&self, name: &OsStr) -> Result<OsString, Errno> {
        for number in 0..100 {
            let mut at = name.to_owned();
            if number > 0 {
                at.push(format!("~{number}"));
            }
            match renameat_with(&self.folder, name, &self.place, &at, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => {}
                put => return put.map(|()| at),
            }
        }
        Err(Errno::EXIST)
    }

    fn remove(&self, place: &Path) {
        let below = PathBuf::from(format!("/proc/self/fd/{}", self.folder.as_raw_fd()));
        for (name, left) in self.entries() {
            let removed = if FileType::from_raw_mode(left.st_mode) == FileType::Directory {
                let _ = chmodat(&self.folder, &name, Mode::RWXU, AtFlags::empty());
                fs::remove_dir_all(below.join(&name))
            } else {
                unlinkat(&self.folder, &name, AtFlags::empty()).map_err(Into::into)
            };
            if let Err(error) = removed {
                tracing::debug!(place = %place.display(), %error, "left of a command");
            }
        }
        if let Err(error) = unlinkat(&self.place, &*self.folder_name, AtFlags::REMOVEDIR) {
            tracing::warn!(place = %place.display(), %error, "`{}` stays there", self.folder_name);
        }
    }
}

fn is_temporary(place: &Path) -> bool {
    TEMPORARY.iter().any(|temporary| place.starts_with(temporary))
}

/// Whether each of its entries can be a mount of its own.
fn is_short(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| entries.take(MOST_ENTRIES + 1).count() <= MOST_ENTRIES)
}

fn cannot_be_made(path: &Path, above: &Path, error: Errno) -> Error {
    let (path, above) = (path.display(), above.display());
    let why = match error {
        Errno::TOOBIG => format!("`{above}` has more than {MOST_ENTRIES} entries"),
        error => io::Error::from(error).to_string(),
    };
    let message = format!("`{path}` is not there, and nothing can be made in `{above}`: {why}");
    Error::new(ErrorCode::INVALID_PARAMS, message)
        .with_hint("name a path in another folder, or make it first")
}

/// Whether this is as the launcher makes what stands for something that is there: a file that nobody may open, or what
/// is none; by a name that was not there when it began, it makes files alone.
fn is_stand_in(made: &Stat, is_named: bool) -> bool {
    match FileType::from_raw_mode(made.st_mode) {
        FileType::RegularFile => made.st_size == 0 && made.st_mode & 0o777 == 0,
        _ => !is_named,
    }
}

/// Whether a name is another one, or that with an ending: `plot.png` where `plot` was named.
fn is_after(name: &OsStr, named: &OsStr) -> bool {
    let ending = name.as_bytes().strip_prefix(named.as_bytes());
    ending.is_some_and(|ending| ending.first().is_none_or(|first| !first.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::launcher::{Means, Rule};

    fn place() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        (folder, real)
    }

    fn confinement(files: &[(&Path, Access)]) -> Confinement {
        let files = files.iter().map(|(path, access)| Rule { path: path.to_path_buf(), access: *access });
        let means = Means { namespaces: true, landlock: false };
        Confinement { files: files.collect(), means, ..Confinement::default() }
    }

    fn absent(paths: &[PathBuf]) -> Vec<Absent> {
        paths.iter().filter_map(|path| Absent::of(path, true)).collect()
    }

    fn names(folder: &Path) -> Vec<OsString> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn brings_what_was_made_by_its_name_and_replaces_nothing() {
        let (_folder, real) = place();
        let all = ["kept", "late", "plot", "never", "deep/er/file"].map(|name| real.join(name));
        let absent = absent(&all);
        assert_eq!(absent[4].path, real.join("deep"));
        let rules: Vec<_> = absent.iter().map(|one| (&*one.path, Access::Write)).collect();
        let mut confinement = confinement(&rules);
        let mut stages = Stages::new(&absent, &mut confinement).unwrap();
        let stage = confinement.stages[&real].clone();
        assert_eq!(confinement.stages.len(), 1);
        for name in ["kept", "late", "plot.png", "plots"] {
            fs::write(stage.join(name), name).unwrap();
        }
        fs::create_dir(stage.join("deep")).unwrap();
        fs::write(real.join("late"), "earlier").unwrap();
        let lost = stages.bring().await;
        assert_eq!(names(&real), ["deep", "kept", "late", "late~1", "plot.png"]);
        assert_eq!(fs::read_to_string(real.join("late")).unwrap(), "earlier");
        assert_eq!(fs::read_to_string(real.join("late~1")).unwrap(), "late");
        assert_eq!(lost.len(), 2, "{lost:?}");
        assert!(lost.iter().any(|lost| lost.contains("late` is there already")), "{lost:?}");
        assert!(lost.iter().any(|lost| lost.contains("plots` is not made")), "{lost:?}");
    }

    #[tokio::test]
    async fn brings_nothing_of_a_folder_that_was_put_in_place_of_the_stage() {
        let ((_folder, real), (_other, other)) = (place(), place());
        let absent = absent(&[real.join("id")]);
        let mut confinement = confinement(&[(&absent[0].path, Access::Write)]);
        let mut stages = Stages::new(&absent, &mut confinement).unwrap();
        let stage = confinement.stages[&real].clone();
        fs::rename(&stage, real.join("aside")).unwrap();
        std::os::unix::fs::symlink(&other, &stage).unwrap();
        for (folder, text) in [(&other, "theirs"), (&real.join("aside"), "made")] {
            fs::write(folder.join("id"), text).unwrap();
            fs::write(folder.join("id.old"), text).unwrap();
        }
        assert_eq!(stages.bring().await, [""; 0]);
        assert_eq!(fs::read_to_string(real.join("id")).unwrap(), "made");
        assert_eq!(names(&other), ["id", "id.old"]);
    }

    #[test]
    fn makes_a_stage_where_it_is_allowed_and_nothing_can_be_made() {
        let (_folder, real) = place();
        for name in ["open", "listed", "shown", "unseen"] {
            fs::create_dir(real.join(name)).unwrap();
        }
        let all = ["open/x", "listed/x", "shown/x", "unseen/x", "forbidden"].map(|name| real.join(name));
        let (open, listed, shown) = (real.join("open"), real.join("listed"), real.join("shown"));
        let mut rules = vec![(&*open, Access::Write), (&*listed, Access::List), (&*shown, Access::Read)];
        rules.extend(all[..4].iter().map(|path| (&**path, Access::Write)));
        let mut confinement = confinement(&rules);
        let refused = Stages::new(&absent(&all[2..3]), &mut confinement).err().unwrap();
        assert!(refused.message.contains("shown` has more than 1000 entries"), "{refused}");
        let stages = Stages::new(&absent(&[&all[..2], &all[3..]].concat()), &mut confinement).unwrap();
        let staged: Vec<_> = confinement.stages.keys().cloned().collect();
        assert_eq!(staged, [listed, real.join("unseen")]);
        fs::write(confinement.stages[&staged[0]].join("x"), "").unwrap();
        drop(stages);
        assert_eq!((names(&staged[0]), names(&staged[1])), (vec!["x".into()], Vec::new()));
    }
}
