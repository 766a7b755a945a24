//! The short run: what was found before, the seeds, then changes of them, as many as the time allows.

use std::{
    cell::Cell,
    fs, io,
    panic::{self, AssertUnwindSafe},
    path::Path,
    sync::Once,
    time::{Duration, Instant},
};

use super::{Target, mutate::Mutator, root, target};

/// How long a target is run in an ordinary test run.
const SHORT: Duration = Duration::from_secs(2);
/// Every run is the same one, unless another seed is asked for.
const SEED: u64 = 1;

thread_local! {
    /// Tokio keeps a task's panic to itself: here it is counted all the same.
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Runs a target over its regressions, its seeds, and as many changes of them as `ASTROS_FUZZ_SECONDS` allow, from the
/// seed `ASTROS_FUZZ_SEED` on. Where they are named, only over the file `ASTROS_FUZZ_INPUT`; or only writes the seeds
/// into the folder `ASTROS_FUZZ_CORPUS`.
///
/// # Panics
/// An input is found that it does not stand; the input is in the file that is named.
pub fn check(name: &str) {
    count_panics();
    let target = target(name);
    if let Some(path) = std::env::var_os("ASTROS_FUZZ_INPUT") {
        let input = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return assert!(stands(target, &input), "`{name}` does not stand {}", path.display());
    }
    let seeds = (target.seeds)();
    if let Some(folder) = std::env::var_os("ASTROS_FUZZ_CORPUS") {
        return write_corpus(&Path::new(&folder).join(name), &seeds).expect("the corpus can be written");
    }
    for (path, input) in regressions(name) {
        assert!(stands(target, &input), "`{name}` does not stand what it stood before: {path}");
    }
    for input in &seeds {
        assert!(stands(target, input), "`{name}` does not stand its own seed: {}", keep(name, input));
    }
    let seed = number("ASTROS_FUZZ_SEED").unwrap_or(SEED);
    let time = number("ASTROS_FUZZ_SECONDS").map_or(SHORT, Duration::from_secs);
    let (mut mutator, begun) = (Mutator::new(seed, seeds), Instant::now());
    let mut inputs = 0;
    while begun.elapsed() < time {
        let input = mutator.next();
        assert!(stands(target, &input), "`{name}` does not stand {}", keep(name, &input));
        inputs += 1;
    }
    eprintln!("{name}: {inputs} inputs from seed {seed}");
}

fn stands(target: &Target, input: &[u8]) -> bool {
    PANICS.set(0);
    let run = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    run.is_ok() && PANICS.get() == 0
}

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
}

/// What was found once, and must not come back.
fn regressions(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = root().join("tests/fuzz/regressions").join(name);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| (entry.path().display().to_string(), fs::read(entry.path()).expect("it can be read")))
        .collect()
}

/// Where libFuzzer begins.
fn write_corpus(folder: &Path, seeds: &[Vec<u8>]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    seeds
        .iter()
        .enumerate()
        .try_for_each(|(number, seed)| fs::write(folder.join(format!("seed-{number}")), seed))
}

/// Keeps an input, and says where.
fn keep(name: &str, input: &[u8]) -> String {
    let path = std::env::temp_dir().join(format!("astros-fuzz-{name}-{:016x}", fastrand::u64(..)));
    match fs::write(&path, input) {
        Ok(()) => path.display().to_string(),
        Err(_) => format!("{input:?}"),
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("`{variable}` is `{text}`, expected a whole number")))
}
