//! New files that a person names where the sandbox lets nothing be made: there the process sees a folder of its own, and
//! what it made by these names is put in its place when it has ended.
//!
//! That folder lies in the one that it stands for, so that bringing a file there is giving it its name.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use tempfile::TempDir;

use super::confine::resolved;
use crate::launcher::{Access, Confinement, TEMPORARY};

/// A file or folder that a person names and that is not there.
#[derive(Clone, Debug, PartialEq)]
pub struct Absent {
    /// Absolute; what it is in is there.
    pub path: PathBuf,
    /// Whether it is declared to be a path; else it may be any word.
    pub surely: bool,
}

impl Absent {
    /// Of an absolute path: the path itself, or the first folder of it that is not there. None where it is there.
    pub fn of(path: &Path, surely: bool) -> Option<Absent> {
        let absent = |path: &Path| path.symlink_metadata().is_err();
        let first = path.ancestors().take_while(|one| absent(one)).last()?;
        Some(Absent { path: first.to_owned(), surely })
    }
}

/// The folders in which one process makes what is not there yet. Dropped, it is brought to its place as well.
#[derive(Default)]
pub(super) struct Stages(BTreeMap<PathBuf, Stage>);

struct Stage {
    folder: TempDir,
    names: Vec<OsString>,
}

impl Stages {
    /// Makes one for each folder in which the process could make nothing, and lets it see those.
    pub(super) fn new(absent: &[Absent], confinement: &mut Confinement) -> Stages {
        let mut stages = Stages::default();
        for Absent { path, .. } in absent.iter().filter(|_| confinement.means.namespaces) {
            let real = resolved(path);
            let (Some(above), Some(name)) = (real.parent(), real.file_name()) else { continue };
            let held = |path: &Path| confinement.files.iter().find(|rule| rule.path == path);
            let around = above.ancestors().find_map(held).map(|rule| rule.access);
            let allowed = held(&real).is_some_and(|rule| rule.access == Access::Write);
            if !allowed || above == Path::new("/") || !matches!(around, None | Some(Access::List)) {
                continue;
            }
            if !stages.0.contains_key(above) {
                let folder = tempfile::Builder::new().prefix(".astros-").tempdir_in(above);
                // Where the person can make nothing, nothing is to be made for them.
                let Ok(folder) = folder else { continue };
                confinement.stages.insert(above.to_owned(), folder.path().to_owned());
                stages.0.insert(above.to_owned(), Stage { folder, names: Vec::new() });
            }
            stages.0.get_mut(above).into_iter().for_each(|stage| stage.names.push(name.to_owned()));
        }
        stages
    }

    /// Brings what was made to its place, once the process has ended; says what did not get there.
    pub(super) fn bring(&mut self) -> Vec<String> {
        let all = std::mem::take(&mut self.0);
        all.into_iter().flat_map(|(place, stage)| stage.bring(&place)).collect()
    }
}

impl Stage {
    fn bring(self, place: &Path) -> Vec<String> {
        let (mut lost, mut keep) = (Vec::new(), false);
        for entry in fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            let (name, new, at) = (entry.file_name(), entry.path(), place.join(entry.file_name()));
            let (shown, is_there) = (at.display(), at.symlink_metadata().is_ok());
            let goes_there = match is_there {
                true => self.names.contains(&name),
                false => self.names.iter().any(|named| is_after(&name, named)),
            };
            if goes_there {
                match put(&new, &at) {
                    Ok(put) if put == at => {}
                    Ok(put) => lost.push(format!(
                        "`{shown}` came to be meanwhile: what the command made is `{}`",
                        put.display()
                    )),
                    Err(error) => {
                        keep = true;
                        lost.push(format!("`{shown}` cannot be made: {error}; it is `{}`", new.display()));
                    }
                }
            } else if !is_there && !TEMPORARY.iter().any(|temporary| place == Path::new(temporary)) {
                lost.push(format!(
                    "`{shown}` is not made: only what is named is; name its folder to let a command make more there"
                ));
            }
        }
        if keep {
            let _ = self.folder.keep();
        }
        lost
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        for lost in self.bring() {
            tracing::warn!("{lost}");
        }
    }
}

/// Whether a name is another one, or that with an ending: `plot.png` where `plot` was named.
fn is_after(name: &OsStr, named: &OsStr) -> bool {
    let ending = name.as_bytes().strip_prefix(named.as_bytes());
    ending.is_some_and(|ending| ending.first().is_none_or(|first| !first.is_ascii_alphanumeric()))
}

/// Gives a new file its name, or one with a number where that is taken: nothing is replaced.
fn put(new: &Path, at: &Path) -> io::Result<PathBuf> {
    let name = at.file_name().unwrap_or_default();
    let numbered = (1..100).map(|number| {
        let mut name = name.to_owned();
        name.push(OsStr::new(&format!("~{number}")));
        at.with_file_name(name)
    });
    for at in [at.to_owned()].into_iter().chain(numbered) {
        match renameat_with(CWD, new, CWD, &at, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(at),
            Err(Errno::EXIST) => {}
            // A file system that cannot promise it.
            Err(Errno::INVAL) if at.symlink_metadata().is_err() => return fs::rename(new, &at).map(|()| at),
            Err(Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::EXIST.into())
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn brings_what_was_made_by_its_name_and_replaces_nothing() {
        let (_folder, real) = place();
        let all = ["kept", "late", "plot", "never", "deep/er/file"].map(|name| real.join(name));
        let absent = absent(&all);
        assert_eq!(absent[4].path, real.join("deep"));
        let rules: Vec<_> = absent.iter().map(|one| (&*one.path, Access::Write)).collect();
        let mut confinement = confinement(&rules);
        let mut stages = Stages::new(&absent, &mut confinement);
        let stage = confinement.stages[&real].clone();
        assert_eq!(confinement.stages.len(), 1);
        for name in ["kept", "late", "plot.png", "plots"] {
            fs::write(stage.join(name), name).unwrap();
        }
        fs::create_dir(stage.join("deep")).unwrap();
        fs::write(real.join("late"), "earlier").unwrap();
        let lost = stages.bring();
        assert_eq!(names(&real), ["deep", "kept", "late", "late~1", "plot.png"]);
        assert_eq!(fs::read_to_string(real.join("late")).unwrap(), "earlier");
        assert_eq!(fs::read_to_string(real.join("late~1")).unwrap(), "late");
        assert_eq!(lost.len(), 2, "{lost:?}");
        assert!(lost.iter().any(|lost| lost.contains("late` came to be meanwhile")), "{lost:?}");
        assert!(lost.iter().any(|lost| lost.contains("plots` is not made")), "{lost:?}");
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
        let stages = Stages::new(&absent(&all), &mut confinement);
        let staged: Vec<_> = confinement.stages.keys().cloned().collect();
        assert_eq!(staged, [listed, real.join("unseen")]);
        fs::write(confinement.stages[&staged[0]].join("x"), "").unwrap();
        drop(stages);
        assert_eq!((names(&staged[0]), names(&staged[1])), (vec!["x".into()], Vec::new()));
    }
}
