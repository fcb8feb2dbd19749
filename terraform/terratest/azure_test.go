package terratest

import "testing"

func TestAzure(t *testing.T) {
	subscription := required(t, "SLIPWAY_TEST_AZURE_SUBSCRIPTION", "Azure subscription")
	group := required(t, "SLIPWAY_TEST_AZURE_ADMIN_GROUP", "Entra group of cluster administrators")
	applied(t, stack{
		name: "azure",
		vars: map[string]any{
			"subscription_id":     subscription,
			"admin_group_ids":     []string{group},
			"name":                uniqueName(),
			"deletion_protection": false,
			// There are no images in a registry that was made a minute ago.
			"install_slipway": false,
		},
		outputs: []string{"cluster_name", "image_registry", "database_secret_id"},
	})
}
