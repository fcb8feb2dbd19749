package terratest

import "testing"

// The stack's names come from the environment's, so the account must not hold an installation of dev.
func TestAWS(t *testing.T) {
	account := required(t, "SLIPWAY_TEST_AWS_ACCOUNT", "AWS account")
	applied(t, stack{
		name: "aws",
		vars: map[string]any{
			"account_id":          account,
			"deletion_protection": false,
			// There are no images in a registry that was made a minute ago.
			"install_slipway": false,
			"hostname":        nil,
			"zone_id":         nil,
		},
		outputs: []string{"cluster_name", "image_registry", "database_secret_arn"},
	})
}
