//! Writes the seeds of every target to where libFuzzer looks for them.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    for target in astros_fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
