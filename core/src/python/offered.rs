//! Entry points of installed distributions, and what their metadata say.

use std::{
    fs,
    path::{Path, PathBuf},
};

use astros_protocol::manifest::text_of;
use serde_json::Value;

use super::Environment;

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
    /// Its `.dist-info` folder.
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
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "dist-info"))
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

    /// What `METADATA` says; nothing where it cannot be read.
    pub fn about(&self) -> About {
        let text = text_of(&self.info.join("METADATA")).unwrap_or_default();
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
