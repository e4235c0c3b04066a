<#-- Whoever sets a new password ends every other session. Keycloak asks, with an empty box; here it is no question. -->
<#macro logoutOtherSessions>
    <input type="hidden" name="logout-sessions" value="on"/>
    <p>${msg("kijkoSignedOutElsewhere")}</p>
</#macro>
