//! The call tree: who called whom, on whose behalf, and until when.
//!
//! Pure: time is passed in, nothing waits here. A [`Node`] is one request that the host has open with a plugin; the
//! calls that the plugin makes while it serves that request are the node's children.

use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Instant,
};

use astros_protocol::{Error, ErrorCode, Id, intent::Parent, lifecycle::Effects};
use foldhash::HashMap;
use tokio_util::sync::CancellationToken;

use super::{
    clock::Clock,
    question::Questions,
    waits::{self, Wait},
};
use crate::supervisor::Slot;

/// Calls nest no deeper than this.
pub const MAX_DEPTH: usize = 16;

/// What all calls of one tree share: on whose behalf they are made.
#[derive(Debug, Default)]
pub struct Root {
    /// 32 hexadecimal digits; also the trace id of W3C trace context.
    pub correlation_id: String,
    pub user_id: Option<String>,
    pub session_id: Option<String>,
    /// The person's folder, absolute.
    pub cwd: Option<String>,
    pub locale: Option<String>,
    /// Of all deadlines in the tree.
    pub clock: Clock,
    /// Where the person can be asked.
    pub questions: Option<Questions>,
    /// The first thing in the tree that a plugin may not do, as people are told.
    pub denied: OnceLock<Error>,
    /// The provider of AI models that is asked in this tree where nobody says which.
    pub provider: OnceLock<String>,
    /// The paths that the person named, absolute.
    pub named: OnceLock<Vec<PathBuf>>,
}

impl Root {
    /// A root of nobody's: what a plugin does of its own accord.
    pub fn anonymous() -> Root {
        Root { correlation_id: new_correlation_id(), ..Root::default() }
    }
}

/// A fresh correlation id.
pub fn new_correlation_id() -> String {
    format!("{:032x}", fastrand::u128(1..))
}

/// One step of a chain of calls, outermost first when it is listed.
#[derive(Debug)]
pub struct Link {
    pub plugin: Arc<str>,
    pub handler: Box<str>,
    pub parent: Option<Arc<Link>>,
    pub depth: usize,
    /// Where a plugin made this call: how far the handler goes, and so what it calls. A person's call goes as far as
    /// its plugin may.
    pub ceiling: OnceLock<Effects>,
    span: OnceLock<u64>,
    attempt: AtomicU32,
}

impl Link {
    /// The step that a call adds; refused at once where its handler would wait for itself, or calls nest too deeply.
    pub fn extend(parent: Option<&Arc<Link>>, plugin: &Arc<str>, handler: &str) -> Result<Arc<Link>, Error> {
        let depth = parent.map_or(1, |link| link.depth + 1);
        let link = Link {
            plugin: plugin.clone(),
            handler: handler.into(),
            parent: parent.cloned(),
            depth,
            ceiling: OnceLock::new(),
            span: OnceLock::new(),
            attempt: AtomicU32::new(0),
        };
        if let Some(above) =
            link.ancestors().find(|above| above.plugin == link.plugin && above.handler == link.handler)
        {
            return Err(link.cycle(above, "is being served"));
        }
        if depth > MAX_DEPTH {
            let message =
                format!("the call of `{plugin}.{handler}` is nested {depth} deep, the limit is {MAX_DEPTH}");
            return Err(Error::new(ErrorCode::CALL_CYCLE, message).with("chain", link.names()));
        }
        Ok(Arc::new(link))
    }

    /// Its span in the trace of the tree: never 0, and the same whenever it is asked for.
    pub fn span(&self) -> u64 {
        *self.span.get_or_init(|| fastrand::u64(1..))
    }

    /// It is given to a process, for the `attempt`th time.
    pub fn try_for(&self, attempt: u32) {
        self.attempt.store(attempt, Ordering::Relaxed);
    }

    /// How often it was given to a process.
    pub fn attempt(&self) -> u32 {
        self.attempt.load(Ordering::Relaxed)
    }

    fn cycle(&self, other: &Link, why: &str) -> Error {
        let message = format!(
            "the call of `{}.{}` would wait for itself: `{}.{}` {why} and waits for it",
            self.plugin, self.handler, other.plugin, other.handler
        );
        Error::new(ErrorCode::CALL_CYCLE, message).with("chain", self.names())
    }

    /// It is made for this one, or for what is below it.
    pub fn is_below(&self, other: &Link) -> bool {
        self.ancestors().any(|above| std::ptr::eq(above, other))
    }

    fn ancestors(&self) -> impl Iterator<Item = &Link> {
        std::iter::successors(self.parent.as_deref(), |link| link.parent.as_deref())
    }

    /// `plugin.handler` of each step, outermost first.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::iter::once(self)
            .chain(self.ancestors())
            .map(|link| format!("{}.{}", link.plugin, link.handler))
            .collect();
        names.reverse();
        names
    }
}

/// One request that the host has open with a plugin.
pub struct Node {
    pub root: Arc<Root>,
    pub link: Arc<Link>,
    /// By the clock of the tree.
    pub deadline: Instant,
    /// Given back when the last who knows of this request is gone: the plugin has answered, its children have ended.
    pub slot: Option<Slot>,
    /// Made with the first child: most requests have none.
    ended: OnceLock<CancellationToken>,
    done: AtomicBool,
    children: AtomicUsize,
    is_final: AtomicBool,
}

impl Node {
    pub fn new(root: Arc<Root>, link: Arc<Link>, deadline: Instant, slot: Option<Slot>) -> Arc<Node> {
        Arc::new(Node {
            root,
            link,
            deadline,
            slot,
            ended: OnceLock::new(),
            done: AtomicBool::new(false),
            children: AtomicUsize::new(0),
            is_final: AtomicBool::new(false),
        })
    }

    /// Cancelled when this request has ended, however it ended.
    pub fn ended(&self) -> CancellationToken {
        let ended = self.ended.get_or_init(CancellationToken::new).clone();
        if self.done.load(Ordering::SeqCst) {
            ended.cancel();
        }
        ended
    }

    /// The request has ended: what it asked for and was not answered yet is taken back.
    pub fn end(&self) {
        self.done.store(true, Ordering::SeqCst);
        if let Some(ended) = self.ended.get() {
            ended.cancel();
        }
    }

    /// Something came of the request that is not to come twice.
    pub fn make_final(&self) {
        self.is_final.store(true, Ordering::SeqCst);
    }

    /// Whether it may be sent once more, as far as it is known what came of it: all its children have ended, none did
    /// what must not be done twice, and nobody heard of its progress.
    pub fn is_repeatable(&self) -> bool {
        self.children.load(Ordering::SeqCst) == 0 && !self.is_final.load(Ordering::SeqCst)
    }
}

/// A call that a plugin makes while it serves a request, as long as this lives: meanwhile the request does not work.
pub struct Child(Arc<Node>);

impl Child {
    pub fn new(parent: Arc<Node>) -> Child {
        parent.children.fetch_add(1, Ordering::SeqCst);
        if let Some(slot) = &parent.slot {
            slot.step_aside();
        }
        Child(parent)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(slot) = &self.0.slot {
            slot.step_back();
        }
        self.0.children.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One process of a plugin: the plugin's number, and which of its processes.
pub type Connection = (usize, u64);

/// The requests that are open with each process.
#[derive(Default)]
pub struct Tree {
    serving: HashMap<Connection, HashMap<Id, Arc<Node>>>,
    /// The calls below others that wait for a slot of a plugin that keeps its slots.
    waits: Vec<Wait>,
}

/// Whose child a plugin's call is.
pub enum Ancestor {
    Node(Arc<Node>),
    /// A root without a user; where requests are open but it is not known which one is meant, the chain of the
    /// deepest of them and the lowest of their ceilings still count, so that nobody escapes the limits by being vague.
    Root(Option<Arc<Link>>, Option<Effects>),
}

impl Tree {
    pub fn insert(&mut self, connection: Connection, id: Id, node: Arc<Node>) {
        self.serving.entry(connection).or_default().insert(id, node);
    }

    pub fn remove(&mut self, connection: Connection, id: &Id) {
        if let Some(open) = self.serving.get_mut(&connection) {
            open.remove(id);
        }
    }

    /// Forgets a process that has ended.
    pub fn forget(&mut self, connection: Connection) {
        self.serving.remove(&connection);
    }

    /// Any of the requests that are open with a process.
    pub fn any(&self, connection: Connection) -> Option<&Arc<Node>> {
        self.serving.get(&connection)?.values().next()
    }

    /// All of them.
    pub fn all(&self, connection: Connection) -> impl Iterator<Item = &Arc<Node>> {
        self.serving.get(&connection).into_iter().flat_map(HashMap::values)
    }

    /// All requests of one tree that are open.
    pub fn of(&self, root: &Arc<Root>) -> Vec<Arc<Node>> {
        let open = self.serving.values().flat_map(HashMap::values);
        open.filter(|node| Arc::ptr_eq(&node.root, root)).cloned().collect()
    }

    /// A call begins to wait for a slot of a serial plugin; refused where that would never end. `more` slots may come
    /// with another process.
    pub fn wait(&mut self, plugin: usize, link: &Arc<Link>, more: bool) -> Result<(), Error> {
        self.waits.push(Wait { plugin, link: link.clone() });
        if more {
            return Ok(());
        }
        let holders = |plugin| {
            let processes = self.serving.iter().filter(|((number, _), _)| *number == plugin);
            processes.flat_map(|(_, open)| open.values()).map(|node| &node.link).collect()
        };
        let refused =
            waits::deadlock(&self.waits, holders).map(|holder| link.cycle(holder, "keeps its plugin busy"));
        match refused {
            Some(error) => {
                self.waits.pop();
                Err(error)
            }
            None => Ok(()),
        }
    }

    pub fn stop_waiting(&mut self, link: &Arc<Link>) {
        if let Some(at) = self.waits.iter().position(|wait| Arc::ptr_eq(&wait.link, link)) {
            self.waits.swap_remove(at);
        }
    }

    /// Finds the parent that a plugin names, or the only one that it can mean.
    pub fn ancestor(&self, connection: Connection, said: &Parent) -> Ancestor {
        let Some(open) = self.serving.get(&connection) else { return Ancestor::Root(None, None) };
        match said {
            Parent::Root => return Ancestor::Root(None, None),
            Parent::Of(id) => {
                if let Some(node) = open.get(id) {
                    return Ancestor::Node(node.clone());
                }
            }
            Parent::Absent => {}
        }
        let mut nodes = open.values();
        match (nodes.next(), nodes.len()) {
            (Some(only), 0) => Ancestor::Node(only.clone()),
            _ => {
                let deepest = open.values().max_by_key(|node| node.link.depth);
                let ceiling = open.values().filter_map(|node| node.link.ceiling.get()).min();
                Ancestor::Root(deepest.map(|node| node.link.clone()), ceiling.copied())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn link(parent: Option<&Arc<Link>>, plugin: &str, handler: &str) -> Result<Arc<Link>, Error> {
        Link::extend(parent, &Arc::from(plugin), handler)
    }

    fn node(link: Arc<Link>) -> Arc<Node> {
        Node::new(Arc::new(Root::anonymous()), link, Instant::now() + Duration::from_secs(1), None)
    }

    #[test]
    fn refuses_a_call_that_would_wait_for_itself() {
        let a = link(None, "a", "one").unwrap();
        let b = link(Some(&a), "b", "two").unwrap();
        assert!(link(Some(&b), "a", "other").is_ok(), "another handler of a plugin is no cycle");
        let error = link(Some(&b), "a", "one").unwrap_err();
        assert_eq!(error.code, ErrorCode::CALL_CYCLE);
        let chain = serde_json::json!(["a.one", "b.two", "a.one"]);
        assert_eq!(error.data.unwrap().extra["chain"], chain);
    }

    #[test]
    fn refuses_to_wait_for_the_one_slot_of_a_serial_plugin() {
        let mut tree = Tree::default();
        let above = link(None, "serial", "one").unwrap();
        let below = link(Some(&link(Some(&above), "b", "two").unwrap()), "serial", "other").unwrap();
        assert!(tree.wait(0, &below, false).is_ok(), "it starts");
        tree.stop_waiting(&below);
        tree.insert((0, 1), Id::Number(1), node(above));
        assert!(tree.wait(0, &below, true).is_ok(), "another process comes");
        tree.stop_waiting(&below);
        let error = tree.wait(0, &below, false).unwrap_err();
        assert_eq!(error.code, ErrorCode::CALL_CYCLE);
        assert!(error.message.contains("`serial.one` keeps its plugin busy"), "{error}");
        assert_eq!(
            error.data.unwrap().extra["chain"],
            serde_json::json!(["serial.one", "b.two", "serial.other"])
        );
        tree.remove((0, 1), &Id::Number(1));
        assert!(tree.wait(0, &below, false).is_ok(), "what was refused does not stay");
    }

    #[test]
    fn may_be_repeated_while_nothing_came_of_it() {
        let parent = node(link(None, "a", "one").unwrap());
        assert!(parent.is_repeatable());
        let child = Child::new(parent.clone());
        assert!(!parent.is_repeatable(), "a child is open");
        drop(child);
        assert!(parent.is_repeatable());
        parent.make_final();
        assert!(!parent.is_repeatable());
    }

    #[test]
    fn refuses_to_nest_too_deeply() {
        let mut deepest = None;
        for depth in 0..MAX_DEPTH {
            deepest = Some(link(deepest.as_ref(), "p", &format!("h{depth}")).unwrap());
        }
        let error = link(deepest.as_ref(), "p", "last").unwrap_err();
        assert!(error.message.contains("17 deep, the limit is 16"), "{error}");
    }

    #[test]
    fn finds_the_parent_that_is_named_or_the_only_one() {
        let (mut tree, connection) = (Tree::default(), (0, 1));
        let shallow = node(link(None, "a", "one").unwrap());
        let is = |ancestor, expected: &Arc<Node>| matches!(ancestor, Ancestor::Node(node) if Arc::ptr_eq(&node, expected));
        assert!(matches!(tree.ancestor(connection, &Parent::Absent), Ancestor::Root(None, None)));
        tree.insert(connection, Id::Number(1), shallow.clone());
        assert!(is(tree.ancestor(connection, &Parent::Absent), &shallow));
        assert!(
            is(tree.ancestor(connection, &Parent::Of(Id::Number(9))), &shallow),
            "unknown counts as absent"
        );
        assert!(matches!(tree.ancestor(connection, &Parent::Root), Ancestor::Root(None, None)));

        let deep = node(link(Some(&shallow.link), "a", "two").unwrap());
        tree.insert(connection, Id::Number(2), deep.clone());
        assert!(is(tree.ancestor(connection, &Parent::Of(Id::Number(2))), &deep));
        shallow.link.ceiling.set(Effects::Read).unwrap();
        let Ancestor::Root(Some(chain), ceiling) = tree.ancestor(connection, &Parent::Absent) else {
            panic!("several are open, so none is meant")
        };
        assert_eq!((chain.depth, ceiling), (2, Some(Effects::Read)));
        tree.remove(connection, &Id::Number(2));
        assert!(is(tree.ancestor(connection, &Parent::Absent), &shallow));
    }

    #[test]
    fn ends_the_children_with_their_parent() {
        let parent = node(link(None, "a", "one").unwrap());
        let child = parent.ended();
        assert!(!child.is_cancelled());
        parent.end();
        assert!(child.is_cancelled());
        assert!(parent.ended().is_cancelled(), "a child that comes late is ended too");
    }
}
