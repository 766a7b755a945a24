//! The storage's thread: takes what waits in the queue, runs it, commits once, then answers.

use std::path::Path;
use std::sync::mpsc::Receiver;

use astros_protocol::Error;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::{Millis, open};

/// The most requests in one transaction: bounds how long the first of them waits for its answer.
const MAX_BATCH: usize = 256;

/// Why a request failed.
pub(super) enum Failure {
    /// The database did.
    Sql(rusqlite::Error),
    /// It was refused.
    Refused(Error),
}

pub(super) type Result<T, E = Failure> = std::result::Result<T, E>;

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Refused(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Sql(error)
    }
}

/// A request in the queue.
pub(super) struct Job {
    writes: bool,
    run: Box<Run>,
}

/// Runs a request in a transaction, or with the error that kept one from beginning.
type Run = dyn FnOnce(Result<&Connection, Error>, &Path, Millis) -> Answer + Send;

/// Sends the answer; called after the commit, with its error where it failed.
type Answer = Box<dyn FnOnce(Option<&Error>)>;

impl Job {
    pub(super) fn read<T: Send + 'static>(
        run: impl FnOnce(&Connection, Millis) -> Result<T> + Send + 'static,
        answer: oneshot::Sender<Result<T, Error>>,
    ) -> Job {
        Job { writes: false, run: Box::new(|db, path, now| settle(db, path, |db| run(db, now), answer)) }
    }

    pub(super) fn write<T: Send + 'static>(
        run: impl FnOnce(&Connection, Millis) -> Result<T> + Send + 'static,
        answer: oneshot::Sender<Result<T, Error>>,
    ) -> Job {
        Job {
            writes: true,
            run: Box::new(|db, path, now| settle(db, path, |db| whole(db, |db| run(db, now)), answer)),
        }
    }
}

/// Runs a request; its answer waits for the commit.
fn settle<T: 'static>(
    db: Result<&Connection, Error>,
    path: &Path,
    run: impl FnOnce(&Connection) -> Result<T>,
    answer: oneshot::Sender<Result<T, Error>>,
) -> Answer {
    let result = db.map_err(Failure::Refused).and_then(run).map_err(|failure| match failure {
        Failure::Sql(error) => open::words(path, &error),
        Failure::Refused(error) => error,
    });
    Box::new(move |failed| {
        // Who asked may have given up; the write holds all the same.
        let _ = answer.send(failed.map_or(result, |error| Err(error.clone())));
    })
}

/// One write of a batch: all of it or, where it fails, nothing.
fn whole<T>(db: &Connection, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    db.prepare_cached("SAVEPOINT one")?.execute([])?;
    let result = run(db);
    let end = |sql| db.prepare_cached(sql)?.execute([]);
    let ended = match &result {
        Ok(_) => end("RELEASE one"),
        Err(_) => end("ROLLBACK TO one").and_then(|_| end("RELEASE one")),
    };
    let value = result?;
    ended?;
    Ok(value)
}

/// Serves the queue until every [`super::Store`] is gone.
pub(super) fn work(mut db: Connection, path: &Path, queue: &Receiver<Job>, clock: &dyn Fn() -> Millis) {
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(MAX_BATCH - 1));
        serve(&mut db, path, batch, clock());
    }
}

fn serve(db: &mut Connection, path: &Path, batch: Vec<Job>, now: Millis) {
    // Reads alone take no lock that another process would wait for.
    if batch.iter().all(|job| !job.writes) {
        return batch.into_iter().for_each(|job| (job.run)(Ok(db), path, now)(None));
    }
    let transaction = match db.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => {
            let error = open::words(path, &error);
            return batch.into_iter().for_each(|job| (job.run)(Err(error.clone()), path, now)(None));
        }
    };
    let run = |job: Job| (job.run)(Ok(&transaction), path, now);
    let answers: Vec<Answer> = batch.into_iter().map(run).collect();
    let failed = transaction.commit().err().map(|error| open::words(path, &error));
    answers.into_iter().for_each(|answer| answer(failed.as_ref()));
}
