//! Entry points of installed distributions, and what their metadata say.

use std::{
    fs,
    path::{Path, PathBuf},
};

use astros_protocol::manifest::text_of;
use serde_json::Value;

use super::{Environment, normalised};

/// One line of an `entry_points.txt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Such as `astros.plugins`.
    pub group: String,
    pub name: String,
    /// `module:attribute`.
    pub target: String,
    pub distribution: Distribution,
}

/// An installed distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Its `.dist-info` folder; the `.egg-info` one where an old installer made a link to its sources.
    pub info: PathBuf,
    /// The folder of its sources, where it was installed to be edited there.
    pub sources: Option<PathBuf>,
}

/// What a distribution says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    pub version: String,
    pub summary: String,
    pub author: Option<String>,
    pub license: Option<String>,
    pub homepage: Option<String>,
    pub requires_python: Option<String>,
}

/// The entry points of these groups, by distribution and then in the order of their file.
pub fn offers(environment: &Environment, groups: &[&str]) -> Vec<Offer> {
    let mut infos: Vec<PathBuf> = environment.sites.iter().flat_map(|site| infos(site)).collect();
    infos.sort();
    infos.iter().flat_map(|info| offers_of(info, groups)).collect()
}

fn infos(site: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(site).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter_map(|path| match path.extension()?.to_str()? {
        "dist-info" => Some(path),
        "egg-link" => linked(&path),
        _ => None,
    })
}

/// What `name.egg-link` leads to: the `name.egg-info` in the folder that it names.
pub(super) fn linked(link: &Path) -> Option<PathBuf> {
    let folder = PathBuf::from(text_of(link).ok()?.lines().next()?.trim());
    let name_of = |path: &Path| path.file_stem().map(|stem| normalised(&stem.to_string_lossy()));
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let mut infos = entries.filter(|path| path.extension().is_some_and(|end| end == "egg-info"));
    infos.find(|info| name_of(info) == name_of(link))
}

/// What stands in the metadata: `METADATA`, in old ones `PKG-INFO`.
pub(super) fn metadata(info: &Path) -> String {
    ["METADATA", "PKG-INFO"].iter().find_map(|file| text_of(&info.join(file)).ok()).unwrap_or_default()
}

fn offers_of(info: &Path, groups: &[&str]) -> Vec<Offer> {
    let Ok(text) = text_of(&info.join("entry_points.txt")) else { return Vec::new() };
    let (mut group, mut found) = (String::new(), Vec::new());
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            group = section.trim().to_owned();
        } else if let Some((name, target)) = line.split_once('=')
            && groups.contains(&&*group)
            && !line.starts_with(['#', ';'])
        {
            // Extras stand behind the target: `module:Class [extra]`.
            let target = target.split('[').next().unwrap_or_default().trim().to_owned();
            let distribution = Distribution { info: info.to_owned(), sources: None };
            found.push(Offer { group: group.clone(), name: name.trim().to_owned(), target, distribution });
        }
    }
    if !found.is_empty() {
        let sources = sources(info);
        found.iter_mut().for_each(|offer| offer.distribution.sources.clone_from(&sources));
    }
    found
}

/// `direct_url.json` of what `pip install -e` installed names a folder.
fn sources(info: &Path) -> Option<PathBuf> {
    if info.extension().is_some_and(|end| end == "egg-info") {
        return info.parent().map(Path::to_owned);
    }
    let url: Value = serde_json::from_str(&text_of(&info.join("direct_url.json")).ok()?).ok()?;
    let is_editable = url.pointer("/dir_info/editable") == Some(&Value::Bool(true));
    let folder = PathBuf::from(url.get("url")?.as_str()?.strip_prefix("file://")?.replace("%20", " "));
    (is_editable && folder.is_dir()).then_some(folder)
}

impl Distribution {
    /// The folder of the package that a module is in, or that of the module's file.
    pub fn package(&self, module: &str) -> Option<PathBuf> {
        let top = module.split('.').next()?;
        let site = self.info.parent()?;
        let roots = [self.sources.clone(), self.sources.as_ref().map(|root| root.join("src"))];
        let mut roots = roots.into_iter().flatten().chain([site.to_owned()]);
        roots.find_map(|root| Some(root.join(top)).filter(|folder| folder.is_dir()))
    }

    /// What its metadata say; nothing where it cannot be read.
    pub fn about(&self) -> About {
        let text = metadata(&self.info);
        // A blank line ends the headers; the description follows.
        let headers =
            text.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(": "));
        let mut about = About::default();
        for (name, value) in headers {
            let value = value.trim().to_owned();
            let said = Some(value.clone()).filter(|value| !value.is_empty() && value != "UNKNOWN");
            match name {
                "Version" => about.version = value,
                "Summary" => about.summary = said.unwrap_or_default(),
                "Author" | "Author-email" => about.author = about.author.or(said),
                "License" | "License-Expression" => about.license = about.license.or(said),
                "Home-page" => about.homepage = said,
                "Requires-Python" => about.requires_python = said,
                _ => {}
            }
        }
        about
    }
}
