//! A plugin with a command: `astros count-lines FILE… [--blank]`.

#![expect(clippy::print_stdout, reason = "standard output is the person's")]

use std::{fs, path::PathBuf};

use astros_sdk::prelude::*;

/// Count the lines of files.
#[derive(clap::Args)]
struct CountLines {
    /// The files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Count blank lines, too
    #[arg(long, short)]
    blank: bool,
}

async fn count_lines(ctx: Context, CountLines { files, blank }: CountLines) -> Result<u8> {
    let mut missing = 0;
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else {
            eprintln!("`{}` cannot be read", file.display());
            missing = 1;
            continue;
        };
        let lines = text.lines().filter(|line| blank || !line.trim().is_empty()).count();
        println!("{lines:>6} {}", file.display());
        ctx.storage().set("last", lines).await?;
    }
    Ok(missing)
}

fn plugin() -> Plugin {
    Plugin::new("lines", env!("CARGO_PKG_VERSION")).command("count-lines", count_lines)
}

fn main() -> ExitCode {
    plugin().run()
}

#[cfg(test)]
mod tests {
    use astros_sdk::testing::TestHost;

    use super::*;

    #[tokio::test]
    async fn counts_the_lines_of_a_real_file() {
        let folder = tempfile::tempdir().unwrap();
        let poem = folder.path().join("poem.txt");
        fs::write(&poem, "Tyger Tyger,\n\nburning bright\n").unwrap();
        let poem = poem.to_str().unwrap();
        let host = TestHost::start(plugin()).await;
        assert_eq!(host.run_command(&["count-lines", poem]).await.unwrap(), 0);
        assert_eq!(host.stored("last"), Some(json!(2)));
        host.run_command(&["count-lines", "--blank", poem]).await.unwrap();
        assert_eq!(host.stored("last"), Some(json!(3)));
        assert_eq!(host.run_command(&["count-lines", "/no/such/file"]).await.unwrap(), 1);
        assert_eq!(host.run_command(&["count-lines"]).await.unwrap(), 2, "clap says what is missing");
    }
}
