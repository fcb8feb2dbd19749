package terratest

import "testing"

func TestGCP(t *testing.T) {
	project := required(t, "SLIPWAY_TEST_GCP_PROJECT", "Google Cloud project")
	applied(t, stack{
		name: "gcp",
		vars: map[string]any{
			"project_id":          project,
			"name":                uniqueName(),
			"deletion_protection": false,
			// There are no images in a registry that was made a minute ago.
			"install_slipway": false,
			"hostname":        nil,
		},
		outputs: []string{"cluster_name", "registry_url", "database_secret_id"},
	})
}
