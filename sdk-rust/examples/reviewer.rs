//! A plugin that brings parts of workflows, on one screen: an agent, a phase and an orchestrator, with their tests.

use astros_sdk::prelude::*;

/// Looks at one file.
async fn read(_: Context, task: Task) -> Result<WorkflowResult> {
    let path: String = task.input("path")?;
    let text = std::fs::read_to_string(&path)?;
    let longest = text.lines().map(str::len).max().unwrap_or(0);
    Ok(WorkflowResult::done(json!({ "path": path, "longest": longest }))
        .with_evidence(format!("read {} bytes of {path}", text.len())))
}

/// Judges what the phase `reading` found.
async fn judge(_: Context, task: Task) -> Result<WorkflowResult> {
    let found = task.result("reading").as_object().cloned().unwrap_or_default();
    match found.values().find(|file| file["longest"].as_u64() > Some(120)) {
        Some(file) => Ok(WorkflowResult::failed(format!("{} has long lines", file["path"]))),
        None => Ok(WorkflowResult::done(format!("{} files are fine", found.len()))),
    }
}

/// Has two readers look, one after the other.
async fn lead(_: Context, task: Task) -> Result<WorkflowResult> {
    let paths: Vec<String> = task.input("paths")?;
    Ok(match paths.get(task.steps().len()) {
        Some(path) => {
            let next = WorkflowStep::agent("read", task.text()).with("inputs", json!({ "path": path }));
            WorkflowResult::done(()).with_next([next])
        }
        None => WorkflowResult::done(json!({ "rounds": task.round() })),
    })
}

fn plugin() -> Plugin {
    Plugin::new("reviewer", env!("CARGO_PKG_VERSION"))
        .agent("read", read)
        .phase("judge", judge)
        .orchestrator("lead", lead)
}

fn main() -> ExitCode {
    plugin().run()
}

#[cfg(test)]
mod tests {
    use astros_sdk::testing::TestHost;

    use super::*;

    #[tokio::test]
    async fn an_agent_reads_a_real_file_and_shows_that_it_did() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("poem.txt");
        std::fs::write(&path, "Tyger\nTyger Tyger\n").unwrap();
        let host = TestHost::start(plugin()).await;
        let step = WorkflowStep::agent("read", "look").with("inputs", json!({ "path": path }));
        let found = host.run_step(step).await.unwrap();
        assert_eq!((found.success, &found.result["longest"]), (true, &json!(11)));
        assert_eq!(found.evidence, [json!(format!("read 18 bytes of {}", path.display()))]);
        let missing = WorkflowStep::agent("read", "look").with("inputs", json!({ "path": "/none" }));
        assert_eq!(host.run_step(missing).await.unwrap_err().kind(), "handler_failed");
        let error = host.run_step(WorkflowStep::agent("read", "look")).await.unwrap_err();
        assert_eq!(error.message, "there is no input `path`");
    }

    #[tokio::test]
    async fn a_phase_judges_by_what_came_before() {
        let host = TestHost::start(plugin()).await;
        let judge = |longest: u32| {
            let file = json!({ "a": { "path": "a.txt", "longest": longest } });
            WorkflowStep::phase("judge", "").with("results", json!({ "reading": { "result": file } }))
        };
        assert_eq!(host.run_step(judge(80)).await.unwrap().result, "1 files are fine");
        let failed = host.run_step(judge(200)).await.unwrap();
        assert_eq!((failed.success, &failed.extra["message"]), (false, &json!("\"a.txt\" has long lines")));
    }

    #[tokio::test]
    async fn an_orchestrator_ends_when_all_is_read() {
        let host = TestHost::start(plugin()).await;
        let ask = |steps: usize| {
            let seen: Vec<_> = (0..steps).map(|_| json!({ "name": "read", "success": true })).collect();
            let lead = WorkflowStep::orchestrator("lead", "t").with("inputs", json!({ "paths": ["a", "b"] }));
            lead.with("steps", seen).with("round", steps as u64 + 1)
        };
        let next = host.run_step(ask(1)).await.unwrap().next;
        assert_eq!(next, [WorkflowStep::agent("read", "t").with("inputs", json!({ "path": "b" }))]);
        let last = host.run_step(ask(2)).await.unwrap();
        assert_eq!((last.next.len(), last.result), (0, json!({ "rounds": 3 })));
        let unknown = host.run_step(WorkflowStep::agent("reed", "t")).await.unwrap_err();
        assert_eq!(unknown.message, "`reviewer` has no agent `reed`");
    }
}
