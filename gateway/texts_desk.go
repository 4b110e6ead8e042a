package gateway

// englishDesk holds the texts of the front desk: registration, consent, contacts, help.
func englishDesk() map[TextKey]string {
	return map[TextKey]string{}
}
