//! A host that is measured, and the measuring: every timed call begins with an argument that was made before the
//! clock and ends with an owned result that is dropped after it.

use std::{future::Future, sync::Arc, time::Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::{join_all, try_join_all};
use serde_json::{Value, value::RawValue};

use crate::{Clock, Effort, Figures, OneCore, SIZES, Size, Turn, arguments, payload, print};

/// One child that was started and can be called.
pub trait Row: Clone + Send + Sync + Sized + 'static {
    /// What a host has before it starts anything.
    type Host: Send + Sync;
    type Argument: Send + 'static;
    type Outcome: Send;

    fn host() -> Result<Self::Host>;

    /// Spawns the child and finishes its handshake.
    fn start(host: &Self::Host, child: &[String]) -> impl Future<Output = Result<Self>> + Send;

    /// Makes what one call takes; who need not own its payload shares it.
    fn prepare(payload: &Arc<RawValue>) -> Result<Self::Argument>;

    fn call(&self, argument: Self::Argument) -> impl Future<Output = Result<Self::Outcome>> + Send;

    /// The payload as it came back.
    fn echoed(outcome: &Self::Outcome) -> Result<Value>;

    /// The nanoseconds that each of `calls` took from child A through the host to child B and back; none where
    /// the host does not do that.
    fn route(
        host: &Self::Host,
        child: &[String],
        calls: usize,
        payload: &RawValue,
    ) -> impl Future<Output = Result<Vec<u64>>> + Send {
        let _ = (host, child, calls, payload);
        async { Ok(Vec::new()) }
    }

    fn stop(self) -> impl Future<Output = ()> + Send;
}

/// Runs a host program on a current-thread runtime: measures, prints.
pub fn measure<R: Row>() -> Result<()> {
    let (effort, child) = arguments()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(async { measured::<R>(effort, &child).await })?;
    print(&figures)
}

async fn measured<R: Row>(effort: Effort, child: &[String]) -> Result<Figures> {
    let host = R::host()?;
    let mut figures = Figures::default();
    let one_core = OneCore::hold()?;
    let row = R::start(&host, child).await.context("the first start")?;
    for size in &SIZES {
        latency(&row, effort, size, &mut figures).await?;
    }
    row.stop().await;
    let routed = R::route(&host, child, effort.routes(), &payload(300)).await?;
    if !routed.is_empty() {
        figures.route(routed);
    }
    drop(one_core);
    let row = R::start(&host, child).await?;
    for size in &SIZES {
        throughput(&row, effort, size, &mut figures).await?;
    }
    row.stop().await;
    let mut times = Vec::new();
    for _ in 0..effort.starts() {
        let begin = Instant::now();
        let row = R::start(&host, child).await?;
        times.push(begin.elapsed());
        row.stop().await;
    }
    figures.starts(times);
    let mut times = Vec::new();
    for _ in 0..effort.masses() {
        let begin = Instant::now();
        let rows = try_join_all((0..Effort::MASS).map(|_| R::start(&host, child))).await?;
        times.push(begin.elapsed());
        join_all(rows.into_iter().map(R::stop)).await;
    }
    figures.mass(times);
    Ok(figures)
}

async fn latency<R: Row>(row: &R, effort: Effort, size: &Size, figures: &mut Figures) -> Result<()> {
    let payload = payload(size.bytes);
    let calls = effort.latency(size);
    for _ in 0..calls / 10 {
        row.call(R::prepare(&payload)?).await?;
    }
    let echoed = R::echoed(&row.call(R::prepare(&payload)?).await?)?;
    ensure!(echoed == serde_json::from_str::<Value>(payload.get())?, "the echo differs: {echoed}");
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let argument = R::prepare(&payload)?;
        let begin = Instant::now();
        let outcome = row.call(argument).await?;
        times.push(begin.elapsed());
        drop(outcome);
    }
    figures.latency(size, times);
    Ok(())
}

async fn throughput<R: Row>(row: &R, effort: Effort, size: &Size, figures: &mut Figures) -> Result<()> {
    let payload = payload(size.bytes);
    let each = effort.each_in_flight(size);
    let mut turns = Vec::new();
    for _ in 0..Effort::TURNS {
        turns.push(turn(row, each, &payload).await?);
    }
    figures.throughput(size, each * Effort::WINDOW, turns);
    Ok(())
}

async fn turn<R: Row>(row: &R, each: usize, payload: &Arc<RawValue>) -> Result<Turn> {
    let prepare = || (0..each).map(|_| R::prepare(payload)).collect::<Result<Vec<_>>>();
    let prepared = (0..Effort::WINDOW).map(|_| prepare()).collect::<Result<Vec<_>>>()?;
    let clock = Clock::start();
    let mut tasks = tokio::task::JoinSet::new();
    for arguments in prepared {
        let row = row.clone();
        tasks.spawn(async move {
            for argument in arguments {
                row.call(argument).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(clock.stop())
}
