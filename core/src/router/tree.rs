//! The call tree: who called whom, on whose behalf, and until when.
//!
//! Pure: time is passed in, nothing waits here. A [`Node`] is one request that the host has open with a plugin; the
//! calls that the plugin makes while it serves that request are the node's children.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use astros_protocol::{Error, ErrorCode, Id, intent::Parent};
use foldhash::HashMap;
use tokio_util::sync::CancellationToken;

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
    /// The plugin works on one request at a time and so keeps its slot while it waits.
    pub serial: bool,
    pub parent: Option<Arc<Link>>,
    pub depth: usize,
    span: OnceLock<u64>,
}

impl Link {
    /// The step that a call adds; refused at once where it would wait for itself or nest too deeply.
    pub fn extend(
        parent: Option<&Arc<Link>>,
        plugin: &Arc<str>,
        handler: &str,
        serial: bool,
    ) -> Result<Arc<Link>, Error> {
        let depth = parent.map_or(1, |link| link.depth + 1);
        let link = Link {
            plugin: plugin.clone(),
            handler: handler.into(),
            serial,
            parent: parent.cloned(),
            depth,
            span: OnceLock::new(),
        };
        let waits = link.ancestors().find(|above| {
            *above.plugin == **plugin && (*above.handler == *handler || (above.serial && serial))
        });
        if let Some(above) = waits {
            let why = if *above.handler == *handler { "is being served" } else { "keeps its plugin busy" };
            let message = format!(
                "the call of `{plugin}.{handler}` would wait for itself: `{}.{}` {why} and waits for it",
                above.plugin, above.handler
            );
            return Err(Error::new(ErrorCode::CALL_CYCLE, message).with("chain", link.names()));
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
#[derive(Debug)]
pub struct Node {
    pub root: Arc<Root>,
    pub link: Arc<Link>,
    pub deadline: Instant,
    /// Made with the first child: most requests have none.
    children: OnceLock<CancellationToken>,
    done: AtomicBool,
}

impl Node {
    pub fn new(root: Arc<Root>, link: Arc<Link>, deadline: Instant) -> Arc<Node> {
        Arc::new(Node { root, link, deadline, children: OnceLock::new(), done: AtomicBool::new(false) })
    }

    /// Cancelled when this request has ended, however it ended.
    pub fn ended(&self) -> CancellationToken {
        let ended = self.children.get_or_init(CancellationToken::new).clone();
        if self.done.load(Ordering::SeqCst) {
            ended.cancel();
        }
        ended
    }

    /// The request has ended: what it asked for and was not answered yet is taken back.
    pub fn end(&self) {
        self.done.store(true, Ordering::SeqCst);
        if let Some(children) = self.children.get() {
            children.cancel();
        }
    }
}

/// One process of a plugin: the plugin's number, and which of its processes.
pub type Connection = (usize, u64);

/// The requests that are open with each process.
#[derive(Debug, Default)]
pub struct Tree {
    serving: HashMap<Connection, HashMap<Id, Arc<Node>>>,
}

/// Whose child a plugin's call is.
pub enum Ancestor {
    Node(Arc<Node>),
    /// A root without a user; where requests are open but it is not known which one is meant, the chain of the
    /// deepest of them still counts, so that nobody escapes the limits by being vague.
    Root(Option<Arc<Link>>),
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

    /// Finds the parent that a plugin names, or the only one that it can mean.
    pub fn ancestor(&self, connection: Connection, said: &Parent) -> Ancestor {
        let Some(open) = self.serving.get(&connection) else { return Ancestor::Root(None) };
        match said {
            Parent::Root => return Ancestor::Root(None),
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
                Ancestor::Root(open.values().max_by_key(|node| node.link.depth).map(|node| node.link.clone()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn link(parent: Option<&Arc<Link>>, plugin: &str, handler: &str) -> Result<Arc<Link>, Error> {
        Link::extend(parent, &Arc::from(plugin), handler, false)
    }

    fn node(link: Arc<Link>) -> Arc<Node> {
        Node::new(Arc::new(Root::anonymous()), link, Instant::now() + Duration::from_secs(1))
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
        let serial: Arc<str> = Arc::from("serial");
        let above = Link::extend(None, &serial, "one", true).unwrap();
        let b = link(Some(&above), "b", "two").unwrap();
        assert_eq!(Link::extend(Some(&b), &serial, "other", true).unwrap_err().code, ErrorCode::CALL_CYCLE);
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
        assert!(matches!(tree.ancestor(connection, &Parent::Absent), Ancestor::Root(None)));
        tree.insert(connection, Id::Number(1), shallow.clone());
        assert!(is(tree.ancestor(connection, &Parent::Absent), &shallow));
        assert!(
            is(tree.ancestor(connection, &Parent::Of(Id::Number(9))), &shallow),
            "unknown counts as absent"
        );
        assert!(matches!(tree.ancestor(connection, &Parent::Root), Ancestor::Root(None)));

        let deep = node(link(Some(&shallow.link), "a", "two").unwrap());
        tree.insert(connection, Id::Number(2), deep.clone());
        assert!(is(tree.ancestor(connection, &Parent::Of(Id::Number(2))), &deep));
        let Ancestor::Root(Some(chain)) = tree.ancestor(connection, &Parent::Absent) else {
            panic!("several are open, so none is meant")
        };
        assert_eq!(chain.depth, 2);
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
