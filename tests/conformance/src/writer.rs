//! Writes to a plugin's input beside everything else: who does not read stops nobody but this task.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use rustix::io::ioctl_fionread;
use tokio::{
    io::AsyncWriteExt,
    process::ChildStdin,
    sync::{mpsc, oneshot},
    time::{Duration, sleep},
};

/// How often it is looked whether a plugin has read everything. Nothing tells a writer of a pipe.
const LOOK: Duration = Duration::from_millis(1);

enum Order {
    Write(Vec<u8>),
    /// Answered once all before it was read by the plugin.
    Tell(oneshot::Sender<()>),
}

/// Where bytes for the plugin are put; its input is closed when this is dropped, after the rest was written.
pub(crate) struct Writer {
    orders: mpsc::UnboundedSender<Order>,
    written: Arc<AtomicUsize>,
}

impl Writer {
    pub(crate) fn new(stdin: ChildStdin) -> Writer {
        // Not bounded: what is written is what a check wants to be written.
        let (orders, inbox) = mpsc::unbounded_channel();
        let written = Arc::default();
        tokio::spawn(write(stdin, inbox, Arc::clone(&written)));
        Writer { orders, written }
    }

    /// A plugin that is gone reads nothing, and that is no failure here: its answers are missed.
    pub(crate) fn write(&self, bytes: impl Into<Vec<u8>>) {
        let _ = self.orders.send(Order::Write(bytes.into()));
    }

    /// How many bytes went into the pipe so far.
    pub(crate) fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }

    /// Resolves once the plugin has read everything; false where it is gone.
    pub(crate) fn is_read(&self) -> impl Future<Output = bool> + use<> {
        let (tell, told) = oneshot::channel();
        let _ = self.orders.send(Order::Tell(tell));
        async { told.await.is_ok() }
    }
}

async fn write(mut stdin: ChildStdin, mut inbox: mpsc::UnboundedReceiver<Order>, written: Arc<AtomicUsize>) {
    while let Some(order) = inbox.recv().await {
        match order {
            Order::Write(bytes) => {
                let mut left = &bytes[..];
                while !left.is_empty() {
                    let Ok(count) = stdin.write(left).await else { return };
                    left = &left[count..];
                    written.fetch_add(count, Ordering::Relaxed);
                }
            }
            Order::Tell(tell) => {
                // Who asked may have given up, and the plugin may never read again.
                while ioctl_fionread(&stdin).unwrap_or(0) > 0 && !tell.is_closed() {
                    sleep(LOOK).await;
                }
                let _ = tell.send(());
            }
        }
    }
}
