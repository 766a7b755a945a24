//! Work on many plugins, spread over the machine's cores: most of it is waiting for the disk and the kernel.

use std::{num::NonZeroUsize, thread};

/// Fewer are done sooner than threads are started.
const WORTH_IT: usize = 64;
/// More threads than this would wait for each other.
const MAX_THREADS: usize = 8;

/// What `work` makes of each, in their order.
pub fn spread<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    if items.len() < WORTH_IT {
        return items.into_iter().map(work).collect();
    }
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_THREADS);
    let part = items.len().div_ceil(threads);
    let mut items = items.into_iter();
    let parts = (0..threads).map(|_| items.by_ref().take(part).collect::<Vec<T>>()).collect::<Vec<_>>();
    let work = &work;
    thread::scope(|scope| {
        let running =
            parts.into_iter().map(|part| scope.spawn(|| part.into_iter().map(work).collect::<Vec<R>>()));
        let running: Vec<_> = running.collect();
        let done = running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|why| std::panic::resume_unwind(why)));
        done.flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_of_few_and_of_many() {
        for count in [0, 1, WORTH_IT - 1, WORTH_IT, 1_001] {
            let doubled = spread((0..count).collect(), |number| number * 2);
            assert_eq!(doubled, (0..count).map(|number| number * 2).collect::<Vec<_>>());
        }
    }
}
