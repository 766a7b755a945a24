//! Counts the words of texts: a plugin that adds a command, `astros tally`.

#![allow(clippy::print_stdout, reason = "a command prints")]

use std::{collections::HashMap, fs, io::Read, path::PathBuf};

use astros_sdk::prelude::*;

/// Count the words of texts, and name those that stand there most.
#[derive(clap::Args)]
struct Tally {
    /// The texts; standard input where none is named
    files: Vec<PathBuf>,
    /// So many words are named
    #[arg(long, short = 'n', default_value_t = 10)]
    top: usize,
    /// Words of fewer letters are left out
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    letters: u8,
}

async fn tally(_: Context, Tally { files, top, letters }: Tally) -> Result<()> {
    let mut text = String::new();
    for file in &files {
        text += &fs::read_to_string(file)
            .map_err(|error| Error::msg(format!("`{}`: {error}", file.display())))?;
        text.push('\n');
    }
    if files.is_empty() {
        std::io::stdin().read_to_string(&mut text)?;
    }
    for (word, count) in most(&text, letters).into_iter().take(top) {
        println!("{count:>7} {word}");
    }
    Ok(())
}

/// The words and how often each is there: those that are most often first, else by the alphabet.
fn most(text: &str, letters: u8) -> Vec<(String, usize)> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '\'') {
        if word.chars().count() >= letters.into() {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(word, count), (other, more)| more.cmp(count).then_with(|| word.cmp(other)));
    counts
}

fn main() -> ExitCode {
    plugin().run()
}

fn plugin() -> Plugin {
    Plugin::new("tally", env!("CARGO_PKG_VERSION")).command("tally", tally)
}

#[cfg(test)]
mod tests {
    use astros_sdk::testing::TestHost;

    use super::*;

    #[test]
    fn names_those_that_are_there_most_first() {
        let all = most("The cat's hat: the hat, THE cat!", 1);
        let all: Vec<_> = all.iter().map(|(word, count)| (&**word, *count)).collect();
        assert_eq!(all, [("the", 3), ("hat", 2), ("cat", 1), ("cat's", 1)]);
        assert_eq!(most("a bc", 2).len(), 1);
    }

    #[tokio::test]
    async fn reads_real_files_and_says_what_is_wrong_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let poem = folder.path().join("poem.txt");
        fs::write(&poem, "Tyger Tyger\n").unwrap();
        let host = TestHost::start(plugin()).await;
        assert_eq!(host.run_command(&["tally", poem.to_str().unwrap(), "-n", "1"]).await.unwrap(), 0);
        assert_eq!(host.run_command(&["tally", "--letters", "0"]).await.unwrap(), 2);
        let error = host.run_command(&["tally", "/no/poem"]).await.unwrap_err();
        assert!(error.message.contains("/no/poem"), "{error:?}");
    }
}
