//! Every GraphQL document that this crate sends, in one place, so that a test can hold them against GitHub's schema.

/// Every document with its operation name, in no particular order.
pub const ALL: &[(&str, &str)] = &[
    ("Viewer", VIEWER),
    ("IssueWhole", ISSUE),
    ("IssueComments", ISSUE_COMMENTS),
    ("PullNumbers", PULL_NUMBERS),
    ("PullWhole", PULL),
    ("PullComments", PULL_COMMENTS),
    ("PullReviews", PULL_REVIEWS),
    ("PullThreads", PULL_THREADS),
    ("PullMergeable", PULL_MERGEABLE),
    ("MarkReady", MARK_READY),
    ("Thread", THREAD),
    ("ResolveThread", RESOLVE_THREAD),
    ("BoardFields", BOARD_FIELDS),
    ("BoardItems", BOARD_ITEMS),
    ("CardOfIssue", CARD_OF_ISSUE),
    ("AddCard", ADD_CARD),
    ("MoveCard", MOVE_CARD),
    ("Lease", LEASE),
    ("LeaseBase", LEASE_BASE),
    ("SwapRef", SWAP_REF),
];

/// Whose token it is: works for an App's installation too, which `GET /user` does not.
pub const VIEWER: &str = "query Viewer { viewer { login } }";

/// One issue with its first page of comments.
pub const ISSUE: &str = r"query IssueWhole($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    issue(number: $number) {
      number title body state url updatedAt lastEditedAt
      author { __typename login }
      labels(first: 100) { nodes { name } pageInfo { hasNextPage endCursor } }
      comments(first: 100) {
        nodes { fullDatabaseId body createdAt updatedAt author { __typename login } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}";

/// Further comments of an issue.
pub const ISSUE_COMMENTS: &str = r"query IssueComments($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    issue(number: $number) {
      comments(first: 100, after: $after) {
        nodes { fullDatabaseId body createdAt updatedAt author { __typename login } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}";

/// Pull requests of a head branch in every state, newest first.
pub const PULL_NUMBERS: &str = r"query PullNumbers($owner: String!, $name: String!, $head: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    nameWithOwner
    pullRequests(headRefName: $head, first: 100, after: $after, orderBy: {field: CREATED_AT, direction: DESC}) {
      nodes { number headRepository { nameWithOwner } }
      pageInfo { hasNextPage endCursor }
    }
  }
}";

/// One pull request with the first pages of what hangs on it.
pub const PULL: &str = r"query PullWhole($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      number title body state isDraft url mergeable
      headRefName headRefOid baseRefName baseRefOid
      headRepository { nameWithOwner }
      author { __typename login }
      labels(first: 100) { nodes { name } pageInfo { hasNextPage endCursor } }
      comments(first: 100) {
        nodes { fullDatabaseId body createdAt updatedAt author { __typename login } }
        pageInfo { hasNextPage endCursor }
      }
      reviews(first: 100) {
        nodes { fullDatabaseId body state submittedAt commit { oid } author { __typename login } }
        pageInfo { hasNextPage endCursor }
      }
      reviewThreads(first: 100) {
        nodes { id isResolved path comments(first: 1) { nodes { body author { __typename login } } } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}";

/// Further conversation comments of a pull request.
pub const PULL_COMMENTS: &str = r"query PullComments($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      comments(first: 100, after: $after) {
        nodes { fullDatabaseId body createdAt updatedAt author { __typename login } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}";

/// Further reviews of a pull request.
pub const PULL_REVIEWS: &str = r"query PullReviews($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviews(first: 100, after: $after) {
        nodes { fullDatabaseId body state submittedAt commit { oid } author { __typename login } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}";

/// Further review threads of a pull request.
pub const PULL_THREADS: &str = r"query PullThreads($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 100, after: $after) {
        nodes { id isResolved path comments(first: 1) { nodes { body author { __typename login } } } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}";

/// Asked again while GitHub computes whether a pull request conflicts.
pub const PULL_MERGEABLE: &str = r"query PullMergeable($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) { mergeable headRefOid } }
}";

/// Takes a pull request out of draft; REST cannot.
pub const MARK_READY: &str = r"mutation MarkReady($pull: ID!) {
  markPullRequestReadyForReview(input: {pullRequestId: $pull}) { pullRequest { number isDraft } }
}";

/// Whether a review thread is resolved, and whose it is.
pub const THREAD: &str = r"query Thread($thread: ID!) {
  node(id: $thread) {
    ... on PullRequestReviewThread { id isResolved pullRequest { number repository { nameWithOwner } } }
  }
}";

/// Resolves a review thread.
pub const RESOLVE_THREAD: &str = r"mutation ResolveThread($thread: ID!) {
  resolveReviewThread(input: {threadId: $thread}) { thread { id isResolved } }
}";

/// A board and the options of its status field.
pub const BOARD_FIELDS: &str = r"query BoardFields($owner: String!, $number: Int!, $field: String!) {
  repositoryOwner(login: $owner) {
    ... on ProjectV2Owner {
      projectV2(number: $number) {
        id
        field(name: $field) { ... on ProjectV2SingleSelectField { id name options { id name } } }
      }
    }
  }
}";

/// A page of a board's items.
pub const BOARD_ITEMS: &str = r"query BoardItems($owner: String!, $number: Int!, $field: String!, $after: String) {
  repositoryOwner(login: $owner) {
    ... on ProjectV2Owner {
      projectV2(number: $number) {
        id
        items(first: 100, after: $after) {
          nodes {
            id type isArchived
            content { ... on Issue { number repository { nameWithOwner } } }
            fieldValueByName(name: $field) { ... on ProjectV2ItemFieldSingleSelectValue { name } }
          }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
  }
}";

/// An issue's node id and its cards.
pub const CARD_OF_ISSUE: &str = r"query CardOfIssue($owner: String!, $name: String!, $number: Int!, $field: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    issue(number: $number) {
      id
      projectItems(first: 100, after: $after) {
        nodes {
          id
          project { id }
          fieldValueByName(name: $field) { ... on ProjectV2ItemFieldSingleSelectValue { name } }
        }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}";

/// Puts an issue on a board; GitHub returns the item that is there already, if any.
pub const ADD_CARD: &str = r"mutation AddCard($project: ID!, $content: ID!) {
  addProjectV2ItemById(input: {projectId: $project, contentId: $content}) { item { id } }
}";

/// Sets a card's status field.
pub const MOVE_CARD: &str = r"mutation MoveCard($project: ID!, $item: ID!, $field: ID!, $option: String!) {
  updateProjectV2ItemFieldValue(
    input: {projectId: $project, itemId: $item, fieldId: $field, value: {singleSelectOptionId: $option}}
  ) { projectV2Item { id } }
}";

/// A lease ref with the message of its commit.
pub const LEASE: &str = r"query Lease($owner: String!, $name: String!, $ref: String!) {
  repository(owner: $owner, name: $name) {
    id
    ref(qualifiedName: $ref) { target { __typename oid ... on Commit { message } } }
  }
}";

/// What a lease commit needs: the repository's id and a tree that exists.
pub const LEASE_BASE: &str = r"query LeaseBase($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) {
    id
    defaultBranchRef { target { __typename oid ... on Commit { tree { oid } } } }
  }
}";

/// Compare-and-swap on refs: `beforeOid` of zeros means absent, `afterOid` of zeros deletes.
pub const SWAP_REF: &str = r"mutation SwapRef($repository: ID!, $updates: [RefUpdate!]!) {
  updateRefs(input: {repositoryId: $repository, refUpdates: $updates}) { clientMutationId }
}";
