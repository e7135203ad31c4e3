//! What people say about a recommendation.

use crate::db::{Row, sql};
use crate::error::{Error, Result};
use crate::store::{Store, Tx};
use headroom_model::ids::RecommendationId;
use headroom_model::view::Comment;
use uuid::Uuid;

impl Tx {
    /// Adds a comment.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown recommendation.
    pub async fn add_comment(&mut self, recommendation: RecommendationId, comment: &Comment) -> Result<()> {
        let done = sql("INSERT INTO comments (id, recommendation_id, cluster, team, author, at, text) \
             SELECT $1, id, cluster, team, $3, $4, $5 FROM optimization_recommendations WHERE id = $2")
        .uuid(Uuid::now_v7())
        .uuid(recommendation.0)
        .text(&comment.by)
        .time(comment.at)
        .text(&comment.text)
        .run(self.on())
        .await?;
        if done == 0 { Err(Error::not_found("recommendation", recommendation)) } else { Ok(()) }
    }
}

impl Store {
    /// The newest comments on a recommendation, at most `most`, oldest first.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn comments(&self, recommendation: RecommendationId, most: u32) -> Result<Vec<Comment>> {
        let rows = sql("SELECT author, at, text FROM comments WHERE recommendation_id = $1 ORDER BY at DESC, id DESC LIMIT $2");
        let rows = rows.uuid(recommendation.0).int(i64::from(most)).all(&mut self.read().await?).await?;
        let comment = |row: &Row| Ok(Comment { by: row.text("author")?, at: row.time("at")?, text: row.text("text")? });
        rows.iter().rev().map(comment).collect()
    }
}
