//! The storage of posts: a table of the blog in the database of the accounts.

use auth_core::StoreError;
use auth_core::time::Timestamp;
use auth_core::user::UserId;
use auth_diesel::DieselStore;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};

use crate::schema::{posts, users};

/// The columns of a [`Row`].
macro_rules! columns {
    () => {
        (posts::id, posts::author_id, users::username, posts::title, posts::content, posts::created_at)
    };
}

/// A post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Its ID.
    pub id: i64,
    /// The user ID of its author.
    pub author_id: UserId,
    /// The author's current username.
    pub author: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub content: String,
    /// When it was created.
    pub created_at: Timestamp,
}

type Row = (i64, i64, String, String, String, i64);

impl Post {
    fn from_row((id, author_id, author, title, content, created_at): Row) -> Self {
        let (author_id, created_at) = (UserId::new(author_id), Timestamp::from_micros(created_at));
        Self { id, author_id, author, title, content, created_at }
    }
}

/// The fields of a post to change; `None` leaves a field unchanged.
#[derive(AsChangeset, Clone, Debug, Default)]
#[diesel(table_name = posts)]
pub struct PostChange {
    /// Its title.
    pub title: Option<String>,
    /// Its text.
    pub content: Option<String>,
}

/// The posts in a database.
#[derive(Clone, Debug)]
pub struct Posts(DieselStore);

impl Posts {
    /// The posts in this database.
    pub const fn new(store: DieselStore) -> Self {
        Self(store)
    }

    /// Every post, newest first.
    pub async fn list(&self) -> Result<Vec<Post>, StoreError> {
        let rows: Vec<Row> = self
            .0
            .read(|connection| {
                let all = posts::table.inner_join(users::table).order(posts::id.desc());
                Ok(all.select(columns!()).load(connection)?)
            })
            .await?;
        Ok(rows.into_iter().map(Post::from_row).collect())
    }

    /// One post.
    pub async fn find(&self, id: i64) -> Result<Option<Post>, StoreError> {
        let row: Option<Row> = self
            .0
            .read(move |connection| {
                let one = posts::table.inner_join(users::table).filter(posts::id.eq(id));
                Ok(one.select(columns!()).get_result(connection).optional()?)
            })
            .await?;
        Ok(row.map(Post::from_row))
    }

    /// Stores a new post; returns its ID, or `None` if the author's account has been deleted.
    ///
    /// # Errors
    /// [`StoreError`] also if the author's user ID is not an integer, because the table of posts refers to users by integers.
    pub async fn create(
        &self,
        author: &UserId,
        title: String,
        content: String,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let author = author.as_integer().ok_or_else(|| StoreError::broken("a user ID that is not an integer"))?;
        self.0
            .write(move |connection| {
                let row = (
                    posts::author_id.eq(author),
                    posts::title.eq(&title),
                    posts::content.eq(&content),
                    posts::created_at.eq(now.micros()),
                );
                match diesel::insert_into(posts::table).values(row).returning(posts::id).get_result(connection) {
                    Err(Error::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _)) => Ok(None),
                    stored => Ok(Some(stored?)),
                }
            })
            .await
    }

    /// Changes a post; `false` if it does not exist. A change without fields is not looked up and returns `true`.
    pub async fn change(&self, id: i64, change: PostChange) -> Result<bool, StoreError> {
        self.0
            .write(move |connection| {
                if change.title.is_none() && change.content.is_none() {
                    return Ok(true);
                }
                Ok(diesel::update(posts::table.find(id)).set(&change).execute(connection)? == 1)
            })
            .await
    }

    /// Deletes a post; `false` if it does not exist.
    pub async fn delete(&self, id: i64) -> Result<bool, StoreError> {
        self.0.write(move |connection| Ok(diesel::delete(posts::table.find(id)).execute(connection)? == 1)).await
    }
}
