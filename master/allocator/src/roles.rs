//! The tree of roles, and in each role the frameworks that compete in it.
//!
//! Siblings compete at each level. What a role has is what its frameworks have and the roles below
//! it; its own frameworks compete with the roles below it as one more sibling, listed without a
//! name.
//! Changes mark what they touch, and [`Roles::refresh`] puts it where it belongs, so that many
//! changes between two rounds cost one listing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use types::{FrameworkId, Resources, Role};

use crate::frameworks::FrameworkIndex;
use crate::ranking::{Ranking, Standing};
use crate::share::{self, Share, Totals, Weight};
use crate::slab::{Index, Slab};

/// The number of a node.
pub(crate) type NodeIndex = Index<Node>;

/// A framework in one of its roles: the party to an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClientIndex {
    pub(crate) framework: FrameworkIndex,
    pub(crate) node: NodeIndex,
}

/// One level of a role, or the root above all roles.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// The role down to this level; none at the root.
    role: Option<Role>,
    /// The last component of the role.
    name: Arc<str>,
    parent: Option<NodeIndex>,
    children: usize,
    /// What the whole subtree has, as its parent lists it.
    subtree: Standing,
    /// What the role itself has, as it competes with the roles below.
    own: Standing,
    /// How many clients in the subtree take part.
    willing_below: usize,
    /// How many clients of the role itself take part.
    willing: usize,
    /// The children and the node itself, the next one first.
    ranking: Ranking<Child>,
    clients: BTreeMap<FrameworkIndex, Client>,
    /// The clients that take part, the next one first.
    framework_ranking: Ranking<(FrameworkId, FrameworkIndex)>,
}

/// A competitor in the ranking of a node. The node itself stands for its own clients.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Child {
    /// The last component of its role; none for the node itself, which thus comes first of equals.
    name: Option<Arc<str>>,
    pub(crate) node: NodeIndex,
}

/// A framework in a role.
#[derive(Debug)]
pub(crate) struct Client {
    framework: FrameworkId,
    standing: Standing,
    /// It is ready to be given something.
    willing: bool,
    /// It waits to be listed anew.
    stale: bool,
    /// On how many agents it has something.
    agents: usize,
}

/// All roles that have frameworks or allocations, and those above them.
#[derive(Debug)]
pub(crate) struct Roles {
    nodes: Slab<Node>,
    root: NodeIndex,
    by_role: HashMap<Role, NodeIndex>,
    weights: HashMap<Role, Weight>,
    stale: Vec<ClientIndex>,
    /// Everything waits to be listed anew, because totals, weights or the tree changed.
    all_stale: bool,
}

impl Roles {
    pub(crate) fn new() -> Self {
        let mut nodes = Slab::default();
        let root = nodes.insert(Node::default());
        let (by_role, weights) = (HashMap::new(), HashMap::new());
        Self {
            nodes,
            root,
            by_role,
            weights,
            stale: Vec::new(),
            all_stale: false,
        }
    }

    pub(crate) fn root(&self) -> &Node {
        &self.nodes[self.root]
    }

    pub(crate) fn root_index(&self) -> NodeIndex {
        self.root
    }

    pub(crate) fn node(&self, node: NodeIndex) -> &Node {
        &self.nodes[node]
    }

    pub(crate) fn find(&self, role: &Role) -> Option<NodeIndex> {
        self.by_role.get(role).copied()
    }

    /// Returns the node of a role, with those above it, made if need be.
    pub(crate) fn ensure(&mut self, role: &Role) -> NodeIndex {
        if let Some(node) = self.find(role) {
            return node;
        }
        let parent = match role.parent() {
            Some(parent) => self.ensure(&parent),
            None => self.root,
        };
        self.nodes[parent].children += 1;
        let weight = self.weights.get(role).copied().unwrap_or_default();
        let node = self.nodes.insert(Node {
            role: Some(role.clone()),
            name: role.components().next_back().unwrap_or_default().into(),
            parent: Some(parent),
            subtree: Standing::weighing(weight),
            ..Node::default()
        });
        self.by_role.insert(role.clone(), node);
        self.all_stale = true;
        node
    }

    /// Sets how much roles count, whether or not anybody is in them.
    pub(crate) fn set_weight(&mut self, role: &Role, weight: Weight) {
        if weight == Weight::ONE {
            self.weights.remove(role);
        } else {
            self.weights.insert(role.clone(), weight);
        }
        if let Some(node) = self.find(role) {
            self.nodes[node].subtree.weight = weight;
        }
        self.all_stale = true;
    }

    /// Says that the totals changed, of which all shares are parts.
    pub(crate) fn totals_changed(&mut self) {
        self.all_stale = true;
    }

    /// Adds a client, if it is not there, and says whether it takes part.
    pub(crate) fn set_willing(&mut self, client: ClientIndex, id: &FrameworkId, willing: bool) {
        let node = &mut self.nodes[client.node];
        let entry = node
            .clients
            .entry(client.framework)
            .or_insert_with(|| Client {
                framework: id.clone(),
                standing: Standing::default(),
                willing: false,
                stale: false,
                agents: 0,
            });
        if entry.willing == willing {
            return;
        }
        entry.willing = willing;
        let count = |count: &mut usize| if willing { *count += 1 } else { *count -= 1 };
        count(&mut node.willing);
        let mut next = Some(client.node);
        while let Some(index) = next {
            count(&mut self.nodes[index].willing_below);
            next = self.nodes[index].parent;
        }
        self.touch(client);
    }

    /// Removes a client that has nothing, and the nodes that are empty without it.
    pub(crate) fn remove_client(&mut self, client: ClientIndex, totals: &Totals) {
        let id = match self.nodes[client.node].clients.get(&client.framework) {
            Some(entry) => entry.framework.clone(),
            None => return,
        };
        self.set_willing(client, &id, false);
        self.refresh(totals);
        self.nodes[client.node].clients.remove(&client.framework);
        let mut next = Some(client.node);
        while let Some(index) = next {
            let node = &self.nodes[index];
            let Some(parent) = node.parent else { break };
            if !node.clients.is_empty() || node.children > 0 {
                break;
            }
            let node = self.nodes.remove(index);
            node.role.map(|role| self.by_role.remove(&role));
            self.nodes[parent].children -= 1;
            next = Some(parent);
        }
    }

    /// Returns whether a client has something on an agent.
    pub(crate) fn has_allocations(&self, client: ClientIndex) -> bool {
        let entry = self.nodes[client.node].clients.get(&client.framework);
        entry.is_some_and(|entry| entry.agents > 0)
    }

    /// Counts an agent on which a client has something, for the first time.
    pub(crate) fn agent_joined(&mut self, client: ClientIndex) {
        self.client_mut(client).agents += 1;
    }

    /// Counts an agent on which a client has nothing any more.
    pub(crate) fn agent_left(&mut self, client: ClientIndex) {
        self.client_mut(client).agents -= 1;
    }

    /// Charges resources to a client and to all roles above it.
    pub(crate) fn charge(&mut self, client: ClientIndex, resources: &Resources) {
        let apply = |standing: &mut Standing| {
            share::add(&mut standing.allocated, resources);
            standing.allocations += 1;
        };
        self.for_standings(client, apply);
    }

    /// Takes back a charge.
    pub(crate) fn uncharge(&mut self, client: ClientIndex, resources: &Resources) {
        let apply = |standing: &mut Standing| share::subtract(&mut standing.allocated, resources);
        self.for_standings(client, apply);
    }

    /// Lists everybody who changed where they belong.
    pub(crate) fn refresh(&mut self, totals: &Totals) {
        if std::mem::take(&mut self.all_stale) {
            self.refresh_all(totals);
            return;
        }
        while let Some(client) = self.stale.pop() {
            let node = &mut self.nodes[client.node];
            node.refresh_client(client.framework, totals);
            self.refresh_path(client.node, totals);
        }
    }

    /// Returns the dominant share of a client within its role.
    pub(crate) fn client_share(&self, client: ClientIndex, totals: &Totals) -> Option<Share> {
        let entry = self.nodes[client.node].clients.get(&client.framework)?;
        Some(totals.dominant_share(&entry.standing.allocated, Weight::ONE))
    }

    /// Returns the dominant share of a role with all below it, not divided by its weight.
    pub(crate) fn role_share(&self, node: NodeIndex, totals: &Totals) -> Share {
        totals.dominant_share(&self.nodes[node].subtree.allocated, Weight::ONE)
    }

    /// Returns the frameworks that have something, or could, in a role.
    pub(crate) fn frameworks(&self, node: NodeIndex) -> impl Iterator<Item = FrameworkIndex> {
        self.nodes[node].clients.keys().copied()
    }

    fn client_mut(&mut self, client: ClientIndex) -> &mut Client {
        let node = &mut self.nodes[client.node];
        node.clients
            .get_mut(&client.framework)
            .expect("clients are added before they are charged")
    }

    fn for_standings(&mut self, client: ClientIndex, mut apply: impl FnMut(&mut Standing)) {
        apply(&mut self.client_mut(client).standing);
        apply(&mut self.nodes[client.node].own);
        let mut next = Some(client.node);
        while let Some(index) = next {
            apply(&mut self.nodes[index].subtree);
            next = self.nodes[index].parent;
        }
        self.touch(client);
    }

    fn touch(&mut self, client: ClientIndex) {
        let entry = self.client_mut(client);
        if !std::mem::replace(&mut entry.stale, true) {
            self.stale.push(client);
        }
    }

    /// Lists a role, and those above it, where they belong.
    fn refresh_path(&mut self, from: NodeIndex, totals: &Totals) {
        self.nodes[from].refresh_own(from, totals);
        let mut index = from;
        while let Some(parent) = self.nodes[index].parent {
            self.refresh_in(parent, index, totals);
            index = parent;
        }
    }

    fn refresh_in(&mut self, parent: NodeIndex, index: NodeIndex, totals: &Totals) {
        let node = &mut self.nodes[index];
        let rank = (node.willing_below > 0).then(|| node.subtree.rank(totals));
        let who = Child {
            name: Some(node.name.clone()),
            node: index,
        };
        let mut standing = std::mem::take(&mut node.subtree);
        self.nodes[parent].ranking.list(&who, &mut standing, rank);
        self.nodes[index].subtree = standing;
    }

    fn refresh_all(&mut self, totals: &Totals) {
        self.stale.clear();
        let indices: Vec<NodeIndex> = self.nodes.indices().collect();
        for index in indices {
            let node = &mut self.nodes[index];
            let clients: Vec<FrameworkIndex> = node.clients.keys().copied().collect();
            for framework in clients {
                node.refresh_client(framework, totals);
            }
            node.refresh_own(index, totals);
            if let Some(parent) = node.parent {
                self.refresh_in(parent, index, totals);
            }
        }
    }
}

impl Node {
    /// Returns the role; none at the root.
    pub(crate) fn role(&self) -> Option<&Role> {
        self.role.as_ref()
    }

    /// Returns the children and the node itself, the next one first.
    pub(crate) fn children(&self) -> impl Iterator<Item = &Child> {
        self.ranking.iter()
    }

    /// Returns the clients of the role itself, the next one first.
    pub(crate) fn clients(&self) -> impl Iterator<Item = FrameworkIndex> {
        self.framework_ranking.iter().map(|(_, index)| *index)
    }

    /// Returns what the whole subtree has.
    pub(crate) fn allocated(&self) -> &types::ResourceQuantities {
        &self.subtree.allocated
    }

    fn refresh_client(&mut self, framework: FrameworkIndex, totals: &Totals) {
        let Some(client) = self.clients.get_mut(&framework) else {
            return;
        };
        client.stale = false;
        let rank = client.willing.then(|| client.standing.rank(totals));
        let who = (client.framework.clone(), framework);
        self.framework_ranking
            .list(&who, &mut client.standing, rank);
    }

    /// Alone in its ranking, the role itself needs no share.
    fn refresh_own(&mut self, index: NodeIndex, totals: &Totals) {
        let rank = match (self.willing, self.children) {
            (0, _) => None,
            (_, 0) => Some(Default::default()),
            (_, _) => Some(self.own.rank(totals)),
        };
        let who = Child {
            name: None,
            node: index,
        };
        self.ranking.list(&who, &mut self.own, rank);
    }
}
