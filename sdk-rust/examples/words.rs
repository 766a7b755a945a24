//! A plugin that counts the words of a file: what stands in the README, with its test.

use std::{fs, path::PathBuf};

use astros_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct File {
    path: PathBuf,
}

fn count_words(_: Context, File { path }: File) -> Result<Response> {
    let words = fs::read_to_string(&path)?.split_whitespace().count();
    Ok(Response::message(format!("{words} words.")).with_data(json!({ "words": words })))
}

fn plugin() -> Plugin {
    Plugin::new("words", env!("CARGO_PKG_VERSION")).handler(
        blocking_handler("count_words", count_words)
            .description("Count the words of a file.")
            .examples(["how many words are in {path}", "count the words of {path}"])
            .effects(Effects::Read),
    )
}

fn main() -> ExitCode {
    plugin().run()
}

#[cfg(test)]
mod tests {
    use astros_sdk::testing::TestHost;

    use super::*;

    #[tokio::test]
    async fn counts_the_words_of_a_real_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("poem.txt");
        fs::write(&path, "Tyger Tyger,\nburning bright\n").unwrap();
        let host = TestHost::start(plugin()).await;
        let response = host.call("count_words", json!({ "path": path })).await.unwrap();
        assert_eq!(response.message, "4 words.");
        let error =
            host.call("count_words", json!({ "path": folder.path().join("none") })).await.unwrap_err();
        assert_eq!(error.kind(), "handler_failed");
    }
}
