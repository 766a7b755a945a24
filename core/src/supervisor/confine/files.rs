//! The files of a plugin: rules in the order of their paths, one a path.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use astros_protocol::manifest::{FilePaths, Permission};
use nix::unistd::{Uid, User};

use super::{home, interpreter};
use crate::{
    launcher::{Access, Rule},
    supervisor::Spec,
};

/// Programs and libraries of the system.
const SYSTEM: [&str; 10] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/sys/devices/system/cpu",
];

/// What programs look up below `/etc`; nothing of it is anybody's secret.
const LOOKED_UP: [&str; 38] = [
    "alternatives",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "default/locale",
    "fonts",
    "gai.conf",
    "gitconfig",
    "group",
    "host.conf",
    "hosts",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "magic",
    "mime.types",
    "nodejs",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "perl",
    "pki/ca-trust",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "protocols",
    "python3",
    "resolv.conf",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
];

/// A folder whose entries are given one by one has at most so many: each is a mount of its own.
pub(in crate::supervisor) const MOST_ENTRIES: usize = 1_000;

/// Collects the rules.
pub(super) struct Files(BTreeMap<PathBuf, Access>);

impl Files {
    /// All that `spec` may see, with what `program` needs to run.
    pub(super) fn of(spec: &Spec, program: &Path) -> Files {
        let mut files = Files(BTreeMap::new());
        for path in SYSTEM {
            files.add(Path::new(path), Access::Read);
        }
        for name in LOOKED_UP {
            files.add(&Path::new("/etc").join(name), Access::Read);
        }
        let home = home(spec);
        for grant in &spec.granted {
            match grant {
                Permission::FileSystem(None) => {
                    home.iter().for_each(|home| files.add_home(home, Access::Write));
                }
                Permission::FileSystem(Some(paths)) => files.add_scope(paths, home.as_deref()),
                _ => {}
            }
        }
        if let Some(foreground) = &spec.foreground {
            let cwd = &foreground.cwd;
            let access = if is_wide(cwd, home.as_deref()) { Access::Read } else { Access::Write };
            files.add_named(cwd, access, home.as_deref());
            let absent = foreground.absent.iter().map(|absent| &absent.path);
            for path in foreground.paths.iter().chain(absent) {
                files.add_named(path, Access::Write, home.as_deref());
            }
        }
        files.protect(spec);
        // Stronger than any grant; what the plugin has of its own lies deeper, and comes after.
        for folder in &*spec.hidden {
            files.set(folder, Access::Hidden);
            files.bound(folder, Access::Hidden);
        }
        for needed in interpreter::needs(spec, program, home.as_deref()) {
            files.add(&needed, Access::Read);
        }
        // Code that it could change would be run with what another version is granted.
        files.set(&spec.folder, Access::Read);
        files.bound_code(&spec.folder, home.as_deref());
        spec.python_sdk.iter().for_each(|sdk| files.add(sdk, Access::Read));
        let own = &spec.directories;
        for (folder, access) in
            [(&own.config, Access::Read), (&own.data, Access::Write), (&own.cache, Access::Write)]
        {
            if !folder.is_empty() {
                files.set(Path::new(folder), access);
            }
        }
        for absent in spec.foreground.iter().flat_map(|foreground| &foreground.absent) {
            files.make_room(&resolved(&absent.path));
        }
        files
    }

    /// Those that say something else than what is above them, or are links.
    pub(super) fn rules(self) -> Vec<Rule> {
        // The root is not all that is below it: what is the machine's there is given by its own name.
        let is_folder = |above: &&Path| above.parent().is_some();
        let above = |path: &Path| {
            path.ancestors().skip(1).filter(is_folder).find_map(|above| self.0.get(above)).copied()
        };
        let says = |path: &Path, access| above(path) != Some(access) || path.is_symlink();
        let rules = self.0.iter().filter(|(path, access)| says(path, **access));
        rules.map(|(path, access)| Rule { path: path.clone(), access: *access }).collect()
    }

    /// At least `access`, for the path and for what links on the way to it lead to.
    fn add(&mut self, path: &Path, access: Access) {
        for path in hops(path) {
            let held = self.0.entry(path).or_insert(access);
            *held = (*held).max(access);
        }
    }

    /// Exactly `access`, for what the path is without links.
    fn set(&mut self, path: &Path, access: Access) {
        let mut links = hops(path);
        let real = links.pop().unwrap_or_default();
        for link in links.into_iter().filter(|_| access != Access::Hidden) {
            self.0.entry(link).or_insert(Access::Read);
        }
        self.0.insert(real, access);
    }

    /// The home without what begins with a dot: each entry that is there, and the names of all.
    fn add_home(&mut self, home: &Path, access: Access) {
        self.add(home, Access::List);
        for entry in fs::read_dir(home).into_iter().flatten().flatten() {
            // A link may lead anywhere: what it leads to has to be granted by its own name.
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if !is_link && !entry.file_name().to_string_lossy().starts_with('.') {
                self.add(&entry.path(), access);
            }
        }
    }

    /// Where a person runs something, and what they name, but for what is hidden in their home.
    fn add_named(&mut self, path: &Path, access: Access, home: Option<&Path>) {
        let mut links = hops(path);
        let real = links.pop().unwrap_or_default();
        // A plugin may have made the link.
        if !links.iter().all(|link| link.parent() == Some(Path::new("/"))) {
            return;
        }
        // The plugin has its own of these.
        if ["/proc", "/dev"].iter().any(|machine| real.starts_with(machine)) {
            return;
        }
        // `HOME` may say nothing, or another place.
        let entered = User::from_uid(Uid::current()).ok().flatten().map(|user| user.dir);
        let hidden = home.into_iter().chain(entered.as_deref()).any(|home| {
            let inside = real.strip_prefix(home);
            inside.is_ok_and(|inside| inside.to_string_lossy().starts_with('.'))
        });
        if !hidden && home != Some(&real) {
            self.add(&real, access);
        }
        // A new file in a home could be one that the person's programs read.
        home.iter().filter(|home| home.starts_with(&real)).for_each(|home| self.add_home(home, access));
    }

    /// Where something may be made in a folder that can only be read, that is given by what is in it.
    fn make_room(&mut self, path: &Path) {
        let Some(folder) = path.parent().filter(|folder| folder.parent().is_some()) else { return };
        let around = folder.ancestors().find_map(|above| self.0.get(above));
        if self.0.get(path) != Some(&Access::Write) || around != Some(&Access::Read) {
            return;
        }
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let entries: Vec<_> = entries.take(MOST_ENTRIES + 1).collect();
        if entries.len() > MOST_ENTRIES {
            return;
        }
        self.0.insert(folder.to_owned(), Access::List);
        for entry in entries.iter().filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink())) {
            self.0.entry(entry.path()).or_insert(Access::Read);
        }
    }

    /// What the person starts by its name is started without a sandbox, and what is put among plugins has its own
    /// grants: no grant of a folder above lets those be changed.
    fn protect(&mut self, spec: &Spec) {
        let path = spec.environment.iter().find(|(name, _)| name == "PATH");
        let programs: Vec<_> = path.into_iter().flat_map(|(_, path)| env::split_paths(path)).collect();
        let linked = home(spec).map(|home| linked_programs(&programs, &home)).unwrap_or_default();
        let daemon = env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
        let all = programs.into_iter().chain(daemon).chain(spec.protected.iter().cloned()).chain(linked);
        for folder in all {
            // Who makes one that is not there puts programs there.
            let real = folder.canonicalize().unwrap_or_else(|_| resolved(&folder));
            // What another plugin runs with is as good as its code.
            let installed =
                real.parent().filter(|prefix| real.ends_with("bin") && interpreter::is_installation(prefix));
            let real = installed.map_or_else(|| real.clone(), Path::to_owned);
            let above = real.ancestors().find_map(|above| self.0.get(above));
            if above == Some(&Access::Write) {
                self.0.insert(real.clone(), Access::Read);
            }
            // Nobody but root changes what is the system's.
            if !SYSTEM.iter().any(|system| real.starts_with(system)) {
                self.bound_code(&real, home(spec).as_deref());
            }
        }
    }

    /// What is in a folder of code can be read at most; where that has the home in it, it is more than code.
    fn bound_code(&mut self, folder: &Path, home: Option<&Path>) {
        if !home.is_some_and(|home| home.starts_with(folder)) {
            self.bound(folder, Access::Read);
        }
    }

    /// At most `access`, for all that is in a folder, also where it was given by its own name.
    fn bound(&mut self, folder: &Path, access: Access) {
        let real = hops(folder).pop().unwrap_or_default();
        for (path, held) in &mut self.0 {
            if path.starts_with(&real) {
                *held = (*held).min(access);
            }
        }
    }

    fn add_scope(&mut self, paths: &FilePaths, home: Option<&Path>) {
        let both = [(&paths.read, Access::Read), (&paths.write, Access::Write)];
        for (paths, access) in both {
            for path in paths.iter().filter_map(|path| expand(path, home)) {
                let mut links = hops(&path);
                let real = links.pop().unwrap_or_default();
                // A plugin may have made the link: what it leads to has to be granted by its own name.
                if links.iter().all(|link| link.parent() == Some(Path::new("/"))) {
                    self.add(&real, access);
                }
            }
        }
    }
}

/// What links in the folders of PATH that are in the home lead to: started by its name as well.
fn linked_programs(programs: &[PathBuf], home: &Path) -> Vec<PathBuf> {
    let in_home =
        programs.iter().filter(|folder| folder.canonicalize().is_ok_and(|real| real.starts_with(home)));
    let entries = in_home.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let links = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    links.filter_map(|link| link.path().canonicalize().ok()).filter(|real| real.is_file()).collect()
}

/// Whether a folder is more than somebody works in, who only stands there: what lies in the root, the home and what is
/// above it, what is the system's.
fn is_wide(folder: &Path, home: Option<&Path>) -> bool {
    let in_root = folder.ancestors().count() <= 2;
    let systems = ["/boot", "/etc", "/usr"].iter().any(|system| folder.starts_with(system));
    in_root || systems || home.is_some_and(|home| home.starts_with(folder))
}

/// A path of a scope; `~` is the home.
pub(crate) fn expand(path: &str, home: Option<&Path>) -> Option<PathBuf> {
    match path.strip_prefix('~') {
        Some("") => home.map(Path::to_owned),
        Some(rest) => Some(home?.join(rest.strip_prefix('/')?)),
        None => Some(PathBuf::from(path)).filter(|path| path.is_absolute()),
    }
}

/// What a path is without links, as far as they are there; it need not be.
pub(in crate::supervisor) fn resolved(path: &Path) -> PathBuf {
    hops(path).pop().unwrap_or_default()
}

/// The links that a path leads through, then what it is without any.
fn hops(path: &Path) -> Vec<PathBuf> {
    /// As many as the kernel follows.
    const AT_MOST: usize = 40;
    let (mut hops, mut real) = (Vec::new(), PathBuf::from("/"));
    let names =
        |path: &Path| path.components().rev().map(|part| part.as_os_str().to_owned()).collect::<Vec<_>>();
    let mut rest = names(path);
    while let Some(part) = rest.pop() {
        match part.to_str() {
            Some("..") => _ = real.pop(),
            // An absolute one begins anew.
            _ => real.push(part),
        }
        if hops.len() < AT_MOST
            && let Ok(target) = fs::read_link(&real)
        {
            hops.push(real.clone());
            real.pop();
            rest.extend(names(&target));
        }
    }
    hops.push(real);
    hops
}
