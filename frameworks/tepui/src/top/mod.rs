//! `tepui top`: looks at the pages of a node, and shows what happened between two looks.

mod feed;
mod live;
mod screen;
mod view;

pub(crate) use feed::{Feed, Wanted};
pub(crate) use live::live;
pub(crate) use screen::report;
pub(crate) use view::{Sort, measured};
