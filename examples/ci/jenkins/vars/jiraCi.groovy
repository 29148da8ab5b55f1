// In a shared library: post { always { jiraCi(project: 'MYT', instance: 'myorg') } }
//
// The credentials are a "username with password" of the id `jira-oauth`: client id and client secret.
def call(Map settings = [:]) {
    def state = [SUCCESS: 'successful', ABORTED: 'cancelled'].getOrDefault(currentBuild.currentResult, 'failed')
    def oauth = usernamePassword(
        credentialsId: settings.credentials ?: 'jira-oauth',
        usernameVariable: 'JIRA_CI_CLIENT_ID',
        passwordVariable: 'JIRA_CI_CLIENT_SECRET'
    )
    withCredentials([oauth]) {
        withEnv([
            "JIRA_CI_PROJECT=${settings.project}",
            "JIRA_CI_INSTANCE=${settings.instance}",
            "JIRA_CI_ENVIRONMENT_NAME=${settings.environmentName ?: ''}",
            "JIRA_CI_STATE=${settings.state ?: state}",
        ]) {
            sh '''
                python3 -m venv .jira-ci
                .jira-ci/bin/pip install --quiet 'jira-ci-core[oauth]'
                .jira-ci/bin/jira-ci report
            '''
        }
    }
}
