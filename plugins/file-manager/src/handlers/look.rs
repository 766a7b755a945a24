//! Handlers that only look.

use crate::error::Error;
use crate::list::{self, Filter, Matcher};
use crate::paths::WirePath;
use crate::report::{self, Report};
use crate::words::{many, plain, shown};
use astros_sdk::prelude::*;
use serde_json::{Map, Value};

use super::{answer, home, path, watch};

/// The most entries in one answer, about 10 MB of JSON; a frame takes 16.
const MOST: usize = 50_000;
const LISTED: usize = 10_000;
const SEARCHED: usize = 1_000;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListFiles {
    /// The folder, absolute.
    #[serde(alias = "location", alias = "folder")]
    path: Option<WirePath>,
    /// Also what is in the folders below it.
    #[serde(default)]
    recursive: bool,
    /// Only names that fit, such as `*.pdf`.
    pattern: Option<String>,
    /// Also names that begin with a dot.
    #[serde(default)]
    hidden: bool,
    /// The most entries to list; 10,000 where absent.
    limit: Option<usize>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct SearchFiles {
    /// A part of the name, or a pattern such as `*.pdf`.
    query: Option<String>,
    /// The folder to look in and below, absolute; the home folder where absent.
    #[serde(alias = "location", alias = "folder")]
    path: Option<WirePath>,
    /// Also names that begin with a dot.
    #[serde(default)]
    hidden: bool,
    /// The most entries to list; 1,000 where absent.
    limit: Option<usize>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct FileInfo {
    /// The file, folder or link, absolute.
    #[serde(alias = "file")]
    path: Option<WirePath>,
}

pub(crate) fn list_files(ctx: Context, params: ListFiles) -> Result<Response> {
    let list = || {
        let folder = path(params.path, "which folder", "`path`")?;
        let matcher = params.pattern.as_deref().map_or(Ok(Matcher::Any), Matcher::glob)?;
        let limit = params.limit.unwrap_or(LISTED).min(MOST);
        let filter = Filter { matcher, recursive: params.recursive, hidden: params.hidden, limit };
        let mut watch = watch(&ctx, "listing");
        let found = list::list(&folder, &filter, || watch(0, 1))?;
        let data = Map::from_iter([("path".into(), json!(WirePath(folder.clone())))]);
        Ok(report::found(&found, &folder, &format!("in {}", shown(&folder)), data))
    };
    answer(list())
}

pub(crate) fn search_files(ctx: Context, params: SearchFiles) -> Result<Response> {
    let search = || {
        let query = params.query.filter(|query| !query.trim().is_empty());
        let query = query.ok_or(Error::Lacks("what to look for", "`query`"))?;
        let folder = path(params.path.or_else(|| home().map(WirePath)), "where to look", "`path`")?;
        let limit = params.limit.unwrap_or(SEARCHED).min(MOST);
        let mut watch = watch(&ctx, "searching");
        let mut search = |matcher| {
            let filter = Filter { matcher, recursive: true, hidden: params.hidden, limit };
            list::list(&folder, &filter, || watch(0, 1))
        };
        let mut found = search(Matcher::query(&query)?)?;
        if let Some(spoken) = Matcher::spoken(&query).filter(|_| found.total == 0) {
            found = search(spoken)?;
        }
        let data = Map::from_iter([
            ("query".into(), query.as_str().into()),
            ("path".into(), json!(WirePath(folder.clone()))),
        ]);
        Ok(report::found(&found, &folder, &format!("called `{}` in {}", plain(&query), shown(&folder)), data))
    };
    answer(search())
}

pub(crate) fn file_info(_: Context, params: FileInfo) -> Result<Response> {
    let look = || {
        let path = path(params.path, "which file", "`path`")?;
        let info = list::info(&path)?;
        let data = serde_json::to_value(&info).unwrap_or(Value::Null);
        let kind = data["kind"].as_str().unwrap_or("thing").to_owned();
        let size = match info.entries {
            Some(entries) => format!("with {entries} in it"),
            None => format!("of {}", many(info.entry.size, "byte")),
        };
        let changed = info.entry.modified.map_or_else(String::new, |at| format!(", changed {at:.0}"));
        Ok(Report { success: true, message: format!("{} is a {kind} {size}{changed}.", shown(&path)), data })
    };
    answer(look())
}
