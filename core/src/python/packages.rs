//! Which packages an environment has, and whether they are what somebody needs.

use std::{collections::BTreeMap, fs, path::Path, str::FromStr};

use pep440_rs::{Version, VersionSpecifiers};

use super::{
    Environment,
    offered::{linked, metadata},
};

/// The packages of an environment: their versions by their normalised names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed(BTreeMap<String, String>);

impl Installed {
    /// What the folders of packages say by the names in them; the first one of a package holds.
    pub fn of(environment: &Environment) -> Installed {
        let mut installed = Installed::default();
        for site in &environment.sites {
            for (name, version) in in_folder(site) {
                installed.0.entry(name).or_insert(version);
            }
        }
        installed
    }

    pub fn version(&self, name: &str) -> Option<&str> {
        self.0.get(&normalised(name)).map(String::as_str)
    }
}

/// `requests-2.28.1.dist-info`, `requests.egg-link`, and `requests-2.28.1.egg-info` or `requests-2.28.1-py3.egg-info` of old installers.
fn in_folder(site: &Path) -> Vec<(String, String)> {
    let names = fs::read_dir(site).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let package = |name: String| {
        if name.ends_with(".egg-link") {
            let text = metadata(&linked(&site.join(&name))?);
            let version = text.lines().find_map(|line| line.strip_prefix("Version: "))?.trim().to_owned();
            return Some((normalised(name.strip_suffix(".egg-link")?), version));
        }
        let stem = name.strip_suffix(".dist-info").or_else(|| name.strip_suffix(".egg-info"))?;
        let mut parts = stem.split('-');
        Some((normalised(parts.next()?), parts.next()?.to_owned()))
    };
    names.filter_map(package).collect()
}

/// A package's name as indexes compare it: lowercase, one `-` for each run of `-`, `_` and `.`.
pub fn normalised(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_lowercase()
}

/// A package that is needed: `requests>=2.28`, `httpx[http2]~=0.27`, `name @ https://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// As it was written.
    pub text: String,
    pub name: String,
    versions: VersionSpecifiers,
    /// It holds on some machines only (`; sys_platform == "win32"`): who installs it decides.
    is_conditional: bool,
}

/// What of an environment is not what is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The requirement as it was written.
    pub wanted: String,
    /// The version that is there; none where the package is not.
    pub found: Option<String>,
}

impl Requirement {
    /// # Errors
    /// Says what was expected.
    pub fn parse(text: &str) -> Result<Requirement, &'static str> {
        const EXPECTED: &str = "expected a package such as `requests>=2.28`";
        let (wanted, condition) = text.split_once(';').unwrap_or((text, ""));
        let (wanted, url) = wanted.split_once('@').unwrap_or((wanted, ""));
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let wanted = wanted.trim();
        let end = wanted.find(|c| !is_of_name(c)).unwrap_or(wanted.len());
        let (name, rest) = wanted.split_at(end);
        let rest = rest.trim_start();
        let versions = match rest.strip_prefix('[') {
            Some(extras) => extras.split_once(']').ok_or(EXPECTED)?.1,
            None => rest,
        };
        let versions = versions.trim().trim_start_matches('(').trim_end_matches(')');
        let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !is_name || (!url.is_empty() && !versions.is_empty()) {
            return Err(EXPECTED);
        }
        Ok(Requirement {
            text: text.to_owned(),
            name: name.to_owned(),
            versions: VersionSpecifiers::from_str(versions).map_err(|_| EXPECTED)?,
            is_conditional: !condition.trim().is_empty(),
        })
    }

    /// Whether it is what lies in a folder or repository of this machine, whose code runs as it is installed; a wheel's
    /// does not.
    pub fn is_on_disk(&self) -> bool {
        let wanted = self.text.split(';').next().unwrap_or_default();
        let Some((_, url)) = wanted.split_once('@') else { return false };
        let url = url.trim().to_lowercase();
        let scheme = url.split(':').next().unwrap_or_default();
        let path = url.split(['#', '?']).next().unwrap_or_default();
        match scheme.rsplit('+').next() {
            Some("file") => !path.ends_with(".whl"),
            _ => !url.contains("://"),
        }
    }

    /// What is not there, where that is so.
    pub fn unmet(&self, installed: &Installed) -> Option<Unmet> {
        let found = installed.version(&self.name);
        let fits = found.is_some_and(|found| match Version::from_str(found) {
            Ok(version) => self.versions.contains(&version),
            // What cannot be compared is the installer's to judge.
            Err(_) => true,
        });
        let unmet = Unmet { wanted: self.text.clone(), found: found.map(str::to_owned) };
        (!fits && !self.is_conditional).then_some(unmet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(all: &[(&str, &str)]) -> Installed {
        Installed(all.iter().map(|(name, version)| (normalised(name), version.to_string())).collect())
    }

    #[test]
    fn tells_what_is_on_disk_from_what_an_index_or_server_has() {
        for (text, is_on_disk) in [
            ("requests>=2.28", false),
            ("a @ https://example.org/a-1.0.tar.gz", false),
            ("a @ git+https://example.org/a.git", false),
            ("a @ file:///p/a-1.0-py3-none-any.whl", false),
            ("a @ file:///p/a", true),
            ("a @ FILE:///p/a#x.whl", true),
            ("a @ git+file:///p/a", true),
            ("a @ ./p", true),
            ("a @ file:p", true),
        ] {
            assert_eq!(Requirement::parse(text).unwrap().is_on_disk(), is_on_disk, "{text}");
        }
    }

    #[test]
    fn compares_requirements_as_installers_do() {
        let installed =
            installed(&[("Requests", "2.28.1"), ("ruamel_yaml", "0.18"), ("pre", "2.0rc1"), ("odd", "x")]);
        for fits in [
            "requests",
            "requests>=2.28.0",
            "REQUESTS (>=2,<3)",
            "requests[socks,use_chardet] ~=2.28",
            "ruamel.yaml==0.18.*",
            "pre>=2.0rc1",
            "odd>=1",
            "gone; python_version < '3'",
            "requests @ https://example.org/requests.whl",
        ] {
            assert_eq!(Requirement::parse(fits).unwrap().unmet(&installed), None, "{fits}");
        }
        for (lacks, found) in [
            ("requests>=3", Some("2.28.1")),
            ("requests!=2.28.1", Some("2.28.1")),
            ("gone>=1", None),
            ("pre>=2.0", Some("2.0rc1")),
        ] {
            let unmet = Requirement::parse(lacks).unwrap().unmet(&installed).expect(lacks);
            assert_eq!((&*unmet.wanted, unmet.found.as_deref()), (lacks, found));
        }
        for wrong in
            ["", "-r requirements.txt", "--index-url=x", "a b", "requests>=", "a[b", "a>=1 @ file:///x"]
        {
            Requirement::parse(wrong).expect_err(wrong);
        }
    }
}
