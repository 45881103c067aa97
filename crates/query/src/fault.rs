//! What the planner found wrong, as data: the cause of its [`Problem`](bedplate_core::Problem), for front doors whose errors
//! have a form of their own. Read it with `problem.cause::<Fault>()`.

use std::fmt;

use crate::request::{BodyMedia, Name};

/// A refusal of the planner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No such table or view, or not one that the role may know of.
    UnknownRelation { schema: Option<Name>, name: Name, similar: Option<String> },
    /// A column of a relation that does not exist or may not be known of. `relation` is empty for rows without one, and
    /// ends in `_1` for a relation that is embedded, `_2` for one that is embedded in it, and so on.
    UnknownColumn { relation: String, column: Name },
    /// A column of a body, or of a list of columns to write, that the relation does not have.
    UnknownWrittenColumn { relation: String, column: Name },
    /// A type that a cast names and that does not exist, or is not one to cast to.
    UnknownType { name: Name },
    /// Nothing leads from one relation to the other. `similar` is the nearest name that is related.
    NoRelationship {
        schema: String,
        origin: String,
        target: Name,
        hint: Option<Name>,
        similar: Option<String>,
    },
    /// Several relationships lead there.
    ManyRelationships { origin: String, target: Name, candidates: Vec<Candidate> },
    /// No function of the name takes these arguments.
    NoFunction {
        schema: Option<Name>,
        name: Name,
        /// Names of the arguments that were given, sorted.
        arguments: Vec<Name>,
        /// What the body is, where one unnamed parameter would have taken it.
        body: Option<BodyMedia>,
        /// The nearest function: `schema.name`, or `schema.name(a, b)` where the name is right.
        similar: Option<String>,
    },
    /// Two embeds of one level have the same name. `depth`: how deep they are, from 1.
    EmbeddedTwice { origin: String, name: Name, depth: u16 },
    /// None of the media types that the caller takes is offered.
    NoRepresentation { accepted: Vec<String> },
    /// Several overloads take these arguments: their signatures, as `schema.name(a => integer, b => text)`.
    ManyFunctions { candidates: Vec<String> },
    /// The filter, order or limit names a relation that the select list does not embed.
    NotEmbedded { name: Name },
    /// An order by a column of a relation that is not to-one.
    OrderNotToOne { origin: String, target: Name },
    /// A filter on an embedded relation itself may only be a null test.
    EmbedFilter { name: Name, operator: &'static str },
    /// Aggregates are not allowed here.
    AggregatesOff,
    /// Valid, and not offered: says what.
    NotOffered { message: String },
    /// The role has no privilege for the verb, or the gate refuses it.
    Forbidden { kind: &'static str, name: String },
}

/// One of several relationships between two relations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// `many-to-one`, `one-to-many`, `one-to-one`, `many-to-many`.
    pub cardinality: &'static str,
    /// The two ends: `tickets with profiles`.
    pub embedding: String,
    /// The keys between them: `tickets_author_fkey using tickets(author) and profiles(id)`.
    pub relationship: String,
    /// How to ask for it: `profiles!tickets_author_fkey`.
    pub spelling: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Fault {}
