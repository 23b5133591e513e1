//! What is registered, as rows for queries.

use reveille_engine::schema::ServiceKind;
use reveille_query::{Catalog, DeploymentRow, ServiceRow};

use super::{Registry, record};

impl Registry {
    /// Returns every deployment, and the latest revision of every service.
    pub fn catalog(&self) -> Catalog {
        let records = self.inner.records();
        let deployments = records.iter().map(|(id, record)| DeploymentRow {
            id: id.to_string(),
            ty: if record.function().is_some() { "lambda" } else { "http" },
            endpoint: record.function().map_or_else(|| record.uri.clone(), |f| f.arn()),
            created_at_ms: record.created_at_ms,
            protocol_version_min: record.protocol_version_min,
            protocol_version_max: record.protocol_version_max,
            services: record.services.keys().cloned().collect(),
            server: record.sdk_version.clone(),
        });
        let latest = record::latest(&records);
        let services = latest.iter().map(|(name, (id, service))| ServiceRow {
            name: (*name).to_owned(),
            revision: service.revision,
            public: !service.options().private.unwrap_or(false),
            ty: match service.kind {
                ServiceKind::Service => "service",
                ServiceKind::VirtualObject => "virtual_object",
                ServiceKind::Workflow => "workflow",
            },
            deployment_id: id.to_string(),
        });
        Catalog {
            deployments: deployments.collect(),
            services: services.collect(),
            rules: self.inner.rules(),
        }
    }
}
