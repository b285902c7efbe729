//! The handlers of the blog.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use auth_http::body::{Body, FieldReader, TEXT, TextRules, UnreadBody};
use auth_http::{ApiError, App, CurrentUser, ObjectPermission, rfc_3339};
use serde::Serialize;

use crate::store::{Post, PostChange, Posts};

const TITLE: TextRules = TextRules { max_chars: Some(200), ..TEXT };

#[derive(Serialize)]
struct PostBody {
    id: i64,
    title: String,
    content: String,
    author: String,
    created_at: String,
}

impl From<Post> for PostBody {
    fn from(post: Post) -> Self {
        let Post { id, author, title, content, created_at, .. } = post;
        Self { id, title, content, author, created_at: rfc_3339(created_at) }
    }
}

#[derive(Serialize)]
struct MessageBody {
    message: String,
}

/// `GET /api/protected/`: greets the caller.
pub async fn protected(user: CurrentUser) -> HttpResponse {
    HttpResponse::Ok().json(MessageBody { message: format!("Hello, {}!", user.username()) })
}

/// `GET /api/posts/`: every post, newest first. Like in the tutorials there is no pagination, which a growing blog would
/// need.
pub async fn list(posts: web::Data<Posts>) -> Result<HttpResponse, ApiError> {
    let posts: Vec<PostBody> = posts.list().await?.into_iter().map(Into::into).collect();
    Ok(HttpResponse::Ok().json(posts))
}

/// `POST /api/posts/create/`: the author is the caller, whatever the body contains.
pub async fn create(
    app: web::Data<App>,
    posts: web::Data<Posts>,
    user: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let fields = body.into_fields()?;
    let mut reader = FieldReader::new(&fields);
    let (title, content) = (reader.required("title", TITLE), reader.required("content", TEXT));
    let (Some(title), Some(content)) = (title, content) else {
        return Err(ApiError::fields(reader.into_errors()));
    };
    let id = posts.create(user.id(), title, content, app.tokens.ports().clock.timestamp()).await?;
    // The user was deleted by another process in the meantime.
    let id = id.ok_or_else(|| ApiError::coded(StatusCode::UNAUTHORIZED, "User not found", "user_not_found"))?;
    Ok(HttpResponse::Created().json(PostBody::from(found(&posts, id).await?)))
}

/// `GET /api/posts/{id}/`.
pub async fn show(
    posts: web::Data<Posts>,
    id: web::Path<String>,
    permission: ObjectPermission,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(PostBody::from(permitted(&posts, &id, &permission).await?)))
}

/// `PUT /api/posts/{id}/`: title and content are required.
pub async fn replace(
    posts: web::Data<Posts>,
    id: web::Path<String>,
    permission: ObjectPermission,
    body: UnreadBody,
) -> Result<HttpResponse, ApiError> {
    update(&posts, &id, &permission, body, |reader, name, rules| reader.required(name, rules)).await
}

/// `PATCH /api/posts/{id}/`: changes only the given fields.
pub async fn change(
    posts: web::Data<Posts>,
    id: web::Path<String>,
    permission: ObjectPermission,
    body: UnreadBody,
) -> Result<HttpResponse, ApiError> {
    update(&posts, &id, &permission, body, |reader, name, rules| reader.optional(name, rules)).await
}

/// `DELETE /api/posts/{id}/`.
pub async fn delete(
    posts: web::Data<Posts>,
    id: web::Path<String>,
    permission: ObjectPermission,
) -> Result<HttpResponse, ApiError> {
    let post = permitted(&posts, &id, &permission).await?;
    if posts.delete(post.id).await? { Ok(HttpResponse::NoContent().finish()) } else { Err(no_such_post()) }
}

fn no_such_post() -> ApiError {
    ApiError::not_found("No Post matches the given query.")
}

async fn found(posts: &Posts, id: i64) -> Result<Post, ApiError> {
    posts.find(id).await?.ok_or_else(no_such_post)
}

/// Returns the post of a path if the caller is its author or staff.
async fn permitted(posts: &Posts, id: &str, permission: &ObjectPermission) -> Result<Post, ApiError> {
    // No post has an ID that does not fit an `i64`.
    let post = found(posts, id.parse().map_err(|_| no_such_post())?).await?;
    permission.check(&post.author_id)?;
    Ok(post)
}

/// How a field is read: as a required or an optional one.
type Read = fn(&mut FieldReader<'_>, &'static str, TextRules) -> Option<String>;

async fn update(
    posts: &Posts,
    id: &str,
    permission: &ObjectPermission,
    body: UnreadBody,
    read: Read,
) -> Result<HttpResponse, ApiError> {
    let post = permitted(posts, id, permission).await?;
    let fields = body.read().await?.into_fields()?;
    let mut reader = FieldReader::new(&fields);
    let change = PostChange { title: read(&mut reader, "title", TITLE), content: read(&mut reader, "content", TEXT) };
    let errors = reader.into_errors();
    if !errors.is_empty() {
        return Err(ApiError::fields(errors));
    }
    if !posts.change(post.id, change).await? {
        return Err(no_such_post());
    }
    Ok(HttpResponse::Ok().json(PostBody::from(found(posts, post.id).await?)))
}
