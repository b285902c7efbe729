//! The posts of a fixture, and checks of every answer about them.

use serde_json::Value;

use crate::contract::answer::{ensure, is_time};

/// The placeholder in rows for the ID of alice's first post.
pub(crate) const POST_ID: &str = "<id>";

/// The posts of a fixture, as answered when they were created.
#[derive(Default)]
pub(crate) struct Posts {
    created: Vec<Value>,
    first_of_alice: Option<Value>,
}

impl Posts {
    /// Records a post that was created before a row.
    pub(crate) fn add(&mut self, post: Value) {
        self.created.push(post);
    }

    /// Inserts the ID of alice's first post.
    pub(crate) fn with_id(&self, text: &str) -> Result<String, String> {
        if !text.contains(POST_ID) {
            return Ok(text.to_owned());
        }
        let post = self.first_of_alice.as_ref().ok_or("no post so far")?;
        Ok(text.replace(POST_ID, &post["id"].to_string()))
    }

    /// Checks that a list contains all created posts as they were answered, newest first.
    pub(crate) fn check_list(&self, list: &[Value]) -> Result<(), String> {
        list.iter().try_for_each(check_shape)?;
        let is_newest_first = list.is_sorted_by_key(|post| std::cmp::Reverse(post["id"].as_u64()));
        ensure(is_newest_first, || "the list is not sorted newest first".to_owned())?;
        let missing = self.created.iter().find(|post| !list.contains(post));
        ensure(missing.is_none(), || format!("the list lacks {missing:?}"))
    }

    /// Checks that a created post is new, and records it.
    pub(crate) fn check_new(&mut self, post: &Value) -> Result<(), String> {
        check_shape(post)?;
        let is_new = self.created.iter().all(|known| known["id"].as_u64() < post["id"].as_u64());
        ensure(is_new, || format!("the ID {} is not new", post["id"]))?;
        self.first_of_alice.get_or_insert_with(|| post.clone());
        self.created.push(post.clone());
        Ok(())
    }

    /// Checks that changes keep the ID and the time of alice's first post.
    pub(crate) fn check_first(&self, post: &Value) -> Result<(), String> {
        check_shape(post)?;
        let first = self.first_of_alice.as_ref().ok_or("no post so far")?;
        ["id", "created_at"].into_iter().try_for_each(|name| {
            ensure(post[name] == first[name], || format!("{name} is {}, and was {}", post[name], first[name]))
        })
    }
}

fn check_shape(post: &Value) -> Result<(), String> {
    let is_text = |name: &str| post[name].is_string();
    let has_time = post["created_at"].as_str().is_some_and(is_time);
    let is_whole = post["id"].is_u64() && is_text("author") && is_text("title") && is_text("content") && has_time;
    let has_no_more = post.as_object().is_some_and(|post| post.len() == 5);
    ensure(is_whole && has_no_more, || format!("not a post: {post}"))
}
