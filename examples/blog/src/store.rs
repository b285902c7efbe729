//! Posts at rest: a table of the blog's own in the database of the accounts.

use auth_core::StoreError;
use auth_core::time::Timestamp;
use auth_core::user::UserId;
use auth_diesel::DieselStore;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};

use crate::schema::{posts, users};

/// What is read of a post.
macro_rules! columns {
    () => {
        (posts::id, posts::author_id, users::username, posts::title, posts::content, posts::created_at)
    };
}

/// A post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub author_id: UserId,
    /// The name of its author now.
    pub author: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub content: String,
    /// When it was written.
    pub created_at: Timestamp,
}

type Row = (i64, i64, String, String, String, i64);

impl Post {
    fn from_row((id, author_id, author, title, content, created_at): Row) -> Self {
        let (author_id, created_at) = (UserId::new(author_id), Timestamp::from_micros(created_at));
        Self { id, author_id, author, title, content, created_at }
    }
}

/// What is changed of a post; `None` stays as it is.
#[derive(AsChangeset, Clone, Debug, Default)]
#[diesel(table_name = posts)]
pub struct PostChange {
    /// Its title.
    pub title: Option<String>,
    /// Its text.
    pub content: Option<String>,
}

/// All posts.
#[derive(Clone, Debug)]
pub struct Posts(DieselStore);

impl Posts {
    /// Those in this database.
    pub const fn new(store: DieselStore) -> Self {
        Self(store)
    }

    /// Every post, the newest first.
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

    /// Stores a new post; answers its number, or `None` if the author's account is gone.
    ///
    /// # Errors
    /// [`StoreError`] also for an author whose ID is not an integer: the table of posts refers to users by integers.
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

    /// Changes a post; `false` if it is gone. A change of nothing is not looked up, and is `true`.
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

    /// Deletes a post; `false` if it is gone.
    pub async fn delete(&self, id: i64) -> Result<bool, StoreError> {
        self.0.write(move |connection| Ok(diesel::delete(posts::table.find(id)).execute(connection)? == 1)).await
    }
}
