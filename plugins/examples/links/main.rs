//! Finds links of Markdown files that lead nowhere: an agent that looks at one file, and an orchestrator that sends one
//! to each. `astros workflow run check-links --input folder=docs` does it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use astros_sdk::prelude::*;
use pulldown_cmark::{Event, Parser, Tag};

/// Looks at one file; its evidence are the links that lead nowhere.
async fn look(_: Context, task: Task) -> Result<WorkflowResult> {
    let file: PathBuf = task.input("file")?;
    let text =
        fs::read_to_string(&file).map_err(|error| Error::msg(format!("`{}`: {error}", file.display())))?;
    let dead = dead(&text, file.parent().unwrap_or(Path::new("")));
    let found = WorkflowResult::done(dead.len());
    Ok(dead.into_iter().fold(found, |found, link| found.with_evidence(format!("{}: {link}", file.display()))))
}

/// The links to files that are not there; those to pages of the web are not followed.
fn dead(text: &str, folder: &Path) -> Vec<String> {
    let target = |event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.into_string())
        }
        _ => None,
    };
    let leads_nowhere = |link: &String| {
        let path = link.split('#').next().unwrap_or_default();
        !path.is_empty() && !link.contains(':') && !folder.join(path).exists()
    };
    Parser::new(text).filter_map(target).filter(leads_nowhere).collect()
}

/// First sends an agent to each file, then counts what they found.
async fn each_file(_: Context, task: Task) -> Result<WorkflowResult> {
    if task.round() > 1 {
        let dead: u64 = task.steps().iter().filter_map(|step| step["result"].as_u64()).sum();
        let checked = task.steps().len();
        return Ok(match (dead, task.steps().iter().all(|step| step["success"] == true)) {
            (0, true) => WorkflowResult::done(json!({ "files": checked, "dead": 0 })),
            _ => WorkflowResult::failed(format!("{dead} links of {checked} files lead nowhere")),
        });
    }
    let folder: PathBuf = task.input("folder")?;
    let entries =
        walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(std::result::Result::ok);
    let files = entries
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|it| it == "md"));
    let steps =
        files.map(|file| WorkflowStep::agent("look", task.text()).with("inputs", json!({ "file": file })));
    Ok(WorkflowResult::done(()).with_next(steps))
}

fn plugin() -> Plugin {
    Plugin::new("links", env!("CARGO_PKG_VERSION"))
        .agent(("look", "Looks at the links of a file."), look)
        .orchestrator("each-file", each_file)
}

fn main() -> ExitCode {
    plugin().run()
}

#[cfg(test)]
mod tests {
    use astros_sdk::testing::TestHost;

    use super::*;

    #[tokio::test]
    async fn an_agent_names_the_links_that_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.md");
        fs::write(&file, "[a](a.md#top) [b](b.md) [c](https://example.org) [d](#here) [e](../no/e.md)")
            .unwrap();
        let host = TestHost::start(plugin()).await;
        let look = |file: &Path| WorkflowStep::agent("look", "").with("inputs", json!({ "file": file }));
        let found = host.run_step(look(&file)).await.unwrap();
        let named = |link: &str| json!(format!("{}: {link}", file.display()));
        assert_eq!((found.result, found.evidence), (json!(2), vec![named("b.md"), named("../no/e.md")]));
        assert!(host.run_step(look(Path::new("/no.md"))).await.unwrap_err().message.contains("/no.md"));
    }

    #[tokio::test]
    async fn the_orchestrator_sends_one_to_each_file_and_sums_up() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.md", "a.md", "c.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let host = TestHost::start(plugin()).await;
        let ask = || {
            WorkflowStep::orchestrator("each-file", "t").with("inputs", json!({ "folder": folder.path() }))
        };
        let next = host.run_step(ask()).await.unwrap().next;
        let files: Vec<_> = next.iter().map(|step| step.context["inputs"]["file"].clone()).collect();
        assert_eq!(files, [json!(folder.path().join("a.md")), json!(folder.path().join("b.md"))]);
        let seen = |dead: u64| json!([{ "success": true, "result": 0 }, { "success": true, "result": dead }]);
        let sum = async |dead| host.run_step(ask().with("round", 2).with("steps", seen(dead))).await.unwrap();
        assert_eq!(sum(0).await.result, json!({ "files": 2, "dead": 0 }));
        assert_eq!(sum(3).await.extra["message"], "3 links of 2 files lead nowhere");
    }
}
