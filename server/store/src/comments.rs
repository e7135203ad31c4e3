//! What people say about a recommendation.

use crate::db::sql;
use crate::error::{Error, Result};
use crate::store::{Store, Tx};
use headroom_model::ids::RecommendationId;
use headroom_model::view::Comment;
use std::collections::HashMap;
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
    /// The comments on these recommendations, oldest first; one without any is left out.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn comments(&self, recommendations: &[RecommendationId]) -> Result<HashMap<RecommendationId, Vec<Comment>>> {
        let rows = sql("SELECT recommendation_id, author, at, text FROM comments WHERE recommendation_id AMONG $1 ORDER BY at, id");
        let mut found: HashMap<RecommendationId, Vec<Comment>> = HashMap::new();
        for row in rows.uuids(recommendations.iter().map(|id| id.0)).all(&mut self.read().await?).await? {
            let comment = Comment { by: row.text("author")?, at: row.time("at")?, text: row.text("text")? };
            found.entry(RecommendationId(row.uuid("recommendation_id")?)).or_default().push(comment);
        }
        Ok(found)
    }
}
