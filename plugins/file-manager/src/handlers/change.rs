//! Handlers that change something, and the one that takes it back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::category::{Method, Sorter};
use crate::error::Error;
use crate::operation;
use crate::organize;
use crate::paths::WirePath;
use crate::plan::{Action, Plan};
use crate::report::{self, Change, Report};
use crate::run::{Outcome, rehearse};
use crate::transfer::{self, Pair};
use astros_sdk::prelude::*;

use super::store::HostStorage;
use super::{answer, home, path, watch};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct OrganizeFiles {
    /// The folder, absolute.
    #[serde(alias = "location", alias = "folder")]
    path: Option<WirePath>,
    /// `by_type`, `by_date` or `by_size`; by type where absent.
    #[serde(alias = "organization_method")]
    method: Option<String>,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    dry_run: bool,
    /// Also the files in folders below it.
    #[serde(default)]
    recursive: bool,
    /// Folders of one's own and the extensions that belong in them, before the built-in ones.
    #[serde(default)]
    folders: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Transfer {
    /// What to move or copy, absolute; one or several.
    #[serde(alias = "sources", alias = "path", alias = "from")]
    source: Option<OneOrMany>,
    /// Where it goes, absolute: a folder, or the new name.
    #[serde(alias = "to")]
    destination: Option<WirePath>,
    /// Instead of both: from where to where, each with the whole new name.
    #[serde(default)]
    moves: Vec<Move>,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(WirePath),
    Many(Vec<WirePath>),
}

#[derive(Deserialize, JsonSchema)]
struct Move {
    from: WirePath,
    to: WirePath,
}

pub(crate) fn organize_files(ctx: Context, params: OrganizeFiles) -> Result<Response> {
    let organize = || {
        let folder = path(params.path, "which folder", "`path`")?;
        let method = params.method.as_deref().map_or(Ok(Method::Type), Method::parse)?;
        let sorter = Sorter::new(method, params.folders)?;
        let plan = organize::plan(&folder, &sorter, params.recursive, home().as_deref())?;
        let (outcome, operation) = perform(&ctx, &plan, params.dry_run, "sorting")?;
        let change = Change { outcome: &outcome, operation: operation.as_deref(), dry_run: params.dry_run };
        Ok(report::organized(&change, &folder, method, plan.left_alone))
    };
    answer(organize()).map(offer_undo)
}

pub(crate) fn move_files(ctx: Context, params: Transfer) -> Result<Response> {
    answer(transfer(&ctx, Action::Move, params)).map(offer_undo)
}

pub(crate) fn copy_files(ctx: Context, params: Transfer) -> Result<Response> {
    answer(transfer(&ctx, Action::Copy, params)).map(offer_undo)
}

pub(crate) fn undo(ctx: Context, (): ()) -> Result<Response> {
    let taken_back = operation::undo(&HostStorage(&ctx), watch(&ctx, "putting back"));
    answer(taken_back.map(|taken_back| report::taken_back(&taken_back)))
}

fn transfer(ctx: &Context, action: Action, params: Transfer) -> Result<Report, Error> {
    let (pairs, destination) = pairs(params.source, params.destination, params.moves)?;
    let plan = transfer::plan(action, &pairs)?;
    let doing = if action == Action::Copy { "copying" } else { "moving" };
    let (outcome, operation) = perform(ctx, &plan, params.dry_run, doing)?;
    let change = Change { outcome: &outcome, operation: operation.as_deref(), dry_run: params.dry_run };
    Ok(report::transferred(&change, action, destination.as_ref().unwrap_or(&plan.base)))
}

/// What goes where, and the one place to name, where there is one.
fn pairs(
    source: Option<OneOrMany>,
    destination: Option<WirePath>,
    moves: Vec<Move>,
) -> Result<(Vec<Pair>, Option<PathBuf>), Error> {
    if !moves.is_empty() {
        return Ok((
            moves.into_iter().map(|Move { from, to }| Pair { from: from.0, to: to.0 }).collect(),
            None,
        ));
    }
    let sources: Vec<_> = match source {
        None => vec![],
        Some(OneOrMany::One(WirePath(one))) => vec![one],
        Some(OneOrMany::Many(many)) => many.into_iter().map(|WirePath(path)| path).collect(),
    };
    if sources.is_empty() {
        return Err(Error::Lacks("what to put there", "`source`"));
    }
    let destination = path(destination, "where to", "`destination`")?;
    let pairs = transfer::pairs(&sources, &destination)?;
    let single = (pairs.len() == 1).then(|| pairs[0].to.clone());
    Ok((pairs, single))
}

fn perform(
    ctx: &Context,
    plan: &Plan,
    dry_run: bool,
    doing: &str,
) -> Result<(Outcome, Option<String>), Error> {
    if dry_run {
        return Ok((rehearse(plan), None));
    }
    operation::perform(&HostStorage(ctx), plan, watch(ctx, doing))
}

fn offer_undo(mut response: Response) -> Response {
    if response.data["operation"].is_string() {
        response.suggested_actions.push("undo that".to_owned());
    }
    response
}
