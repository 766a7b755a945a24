//! Landlock: with a root of the plugin's own a second wall around the same files, without one the only wall.
//!
//! It keeps a plugin from signalling and tracing others, and from sockets without a path. It does not hide names, and
//! cannot take back below a folder what was given with it: where it stands alone, such a folder is given by the entries
//! that it has at the start.

use std::{
    collections::BTreeMap,
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath,
    RestrictSelf, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::fs::{CWD, FileType, Mode, OFlags, openat};

use super::{
    Access, Confinement, Network, files,
    root::{DEVICES, TEMPORARY},
    step::{Step, failed},
};

/// The first that knows every way to change a file.
const OLDEST: ABI = ABI::V3;
/// The newest whose restrictions were tried here.
const NEWEST: ABI = ABI::V8;

/// Which version this kernel has.
pub(super) fn version() -> Option<u32> {
    Some(known() as u32).filter(|version| *version > 0)
}

fn known() -> ABI {
    // Without a flag it asks, and restricts nothing.
    match RestrictSelf::default().no_new_privs(false).apply().map(|status| status.landlock) {
        Ok(LandlockStatus::Available { effective_abi, .. }) => effective_abi.min(NEWEST),
        _ => ABI::Unsupported,
    }
}

/// Restricts this process, and all that come from it.
pub(super) fn restrict(confinement: &Confinement) -> io::Result<()> {
    let abi = known();
    if abi < OLDEST {
        let (abi, oldest) = (abi as u32, OLDEST as u32);
        return Err(failed(format_args!("Landlock: this kernel has version {abi}, needed is {oldest}")));
    }
    let mut rules = Rules { created: ruleset(abi, confinement.network)?, abi };
    rules.add(Path::new("/proc"), AccessFs::ReadFile | AccessFs::ReadDir)?;
    for path in DEVICES {
        let all = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
        rules.add(Path::new(path), all & AccessFs::from_all(abi))?;
    }
    let by_path = confinement.by_path();
    if confinement.means.namespaces {
        // Only what was given is below, and mounts take back what Landlock cannot.
        rules.add(Path::new("/"), AccessFs::ReadDir.into())?;
        for path in TEMPORARY {
            rules.add(Path::new(path), rules.all())?;
        }
        for (path, access) in by_path {
            rules.give(&path, access)?;
        }
        for path in confinement.stages.keys() {
            rules.give(path, Access::Write)?;
        }
    } else {
        if !confinement.scratch.as_os_str().is_empty() {
            rules.give(&confinement.scratch, Access::Write)?;
        }
        for (path, access) in &by_path {
            rules.give_split(path, *access, &by_path)?;
        }
    }
    let status = rules.created.restrict_self().step("Landlock")?;
    if status.ruleset == RulesetStatus::FullyEnforced {
        Ok(())
    } else {
        Err(failed("Landlock: only in part"))
    }
}

fn ruleset(abi: ABI, network: Network) -> io::Result<RulesetCreated> {
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    ruleset = ruleset.handle_access(AccessFs::from_all(abi)).step("Landlock")?;
    if abi >= ABI::V4 && network == Network::None {
        ruleset = ruleset.handle_access(AccessNet::from_all(abi)).step("Landlock")?;
    }
    if abi >= ABI::V6 {
        ruleset = ruleset.scope(Scope::from_all(abi)).step("Landlock")?;
    }
    ruleset.create().step("Landlock")
}

struct Rules {
    created: RulesetCreated,
    abi: ABI,
}

impl Rules {
    /// Everything that is no device.
    fn all(&self) -> BitFlags<AccessFs> {
        AccessFs::from_all(self.abi) & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev)
    }

    /// Gives a folder without what is less below it: by its entries, where there is such.
    fn give_split(&mut self, path: &Path, access: Access, all: &BTreeMap<PathBuf, Access>) -> io::Result<()> {
        let less =
            |(below, less): (&PathBuf, &Access)| *below != path && below.starts_with(path) && *less < access;
        if !all.iter().any(less) {
            return self.give(path, access);
        }
        // Its names would be those of all that is below, too.
        let entries = match fs::read_dir(path) {
            Ok(entries) if access > Access::List => entries,
            _ => return Ok(()),
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if !all.contains_key(&*path) {
                self.give_split(&path, access, all)?;
            }
        }
        Ok(())
    }

    fn give(&mut self, path: &Path, access: Access) -> io::Result<()> {
        let rights = match access {
            // Alone it would be the names of all that is below, beside a root they are there.
            Access::Hidden | Access::List => return Ok(()),
            Access::Read => AccessFs::from_read(self.abi),
            Access::Write => self.all(),
        };
        let step = || format!("allowing `{}`", path.display());
        match files::open(path).step(step())? {
            None | Some((_, FileType::Symlink)) => Ok(()),
            Some((folder, FileType::Directory)) => self.rule(folder, rights).step(step()),
            Some((file, _)) => self.rule(file, rights & AccessFs::from_file(self.abi)).step(step()),
        }
    }

    /// A folder or file that is there.
    fn add(&mut self, path: &Path, rights: BitFlags<AccessFs>) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(CWD, path, flags, Mode::empty());
        let opened = opened.step(format_args!("allowing `{}`", path.display()))?;
        self.rule(opened, rights).step(format_args!("allowing `{}`", path.display()))
    }

    fn rule(&mut self, file: OwnedFd, rights: BitFlags<AccessFs>) -> io::Result<()> {
        (&mut self.created).add_rule(PathBeneath::new(file, rights)).step("Landlock").map(drop)
    }
}
